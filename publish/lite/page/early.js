/**
 * Starts Python while JupyterLab loads: the first kernel's worker is made before there is a kernel.
 * Only where the service worker has the page already, for a worker made earlier has no files.
 */
(() => {
  const { Worker } = window;
  if (!navigator.serviceWorker?.controller || crossOriginIsolated) return;
  const early = new Worker(new URL('early-worker.mjs', document.currentScript.src), { type: 'module' });

  /** Make a worker; for the first kernel, take the one that is there. */
  window.Worker = function (address, options) {
    if (!String(address).includes('/comlink.worker.')) return new Worker(address, options);
    window.Worker = Worker;
    return early;
  };
})();
