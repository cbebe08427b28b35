/**
 * What the page says from its first paint to the first cell, and where it cannot work. The build puts
 * `<script defer src="../extensions/iot-lesson/static/page.js">` into the head of lab/index.html, so that
 * it comes before JupyterLab; the extension calls `window.iotPage`.
 */
(() => {
  const SITE = new URL('../../../', document.currentScript.src).href;
  const PROBLEMS = {
    full: 'This browser has no room left for new work. Free some disk space, then reload the page.',
    newer: 'A newer version of the lesson has been published. Save your work, then reload the page.',
    offline: 'The site cannot be reached. Check the connection, then reload the page.',
    old: 'This browser is too old for the lesson. Update it, or use another one.',
    python: 'Python did not start. Reload the page; if that does not help, use another browser.',
    storage: 'This browser lets the page keep nothing: your work would be lost. Allow this site to store data, then reload the page.',
    worker: 'This window does not let the lesson keep its files. Open the page in a normal window, not a private one.',
  };
  const ROOM = 50e6;
  const READY = 'Ready: press Shift+Enter in the first cell.';
  const READY_FOR = 20_000;
  const box = document.createElement('div');
  const words = document.createElement('span');
  const figures = document.createElement('span');
  const close = document.createElement('button');
  let done = false;

  /** Put the line where it is seen; a screen reader reads its words, not every figure. */
  function build() {
    box.id = 'iot-status';
    box.hidden = true;
    words.setAttribute('role', 'status');
    figures.setAttribute('aria-hidden', 'true');
    close.textContent = 'Close';
    close.onclick = () => {
      box.classList.remove('iot-problem');
      say('');
    };
    box.append(words, figures, close);
    const style = document.createElement('link');
    style.rel = 'stylesheet';
    style.href = `${SITE}extensions/iot-lesson/static/page.css`;
    document.head.append(style);
    document.body.append(box);
  }

  /** Show a line; nothing takes the place of a problem. */
  function say(text) {
    if (box.classList.contains('iot-problem')) return;
    words.textContent = text;
    box.hidden = !text;
  }

  /** Show what is wrong and what to do next; the first problem stays. */
  function problem(name) {
    say(PROBLEMS[name]);
    figures.textContent = '';
    box.classList.add('iot-problem');
  }

  /** Show how much has come of what is needed first. */
  function count(come, all) {
    const mega = bytes => (bytes / 1e6).toFixed(1);
    figures.textContent = come < all ? ` ${mega(come)} of ${mega(all)} MB` : '';
  }

  /** Say that Python is ready; the line goes with the next key or click, or after a while. */
  function ready() {
    done = true;
    figures.textContent = '';
    say(READY);
    const gone = () => words.textContent === READY && say('');
    setTimeout(gone, READY_FOR);
    ['keydown', 'pointerdown'].forEach(each => addEventListener(each, gone, { once: true }));
    // What came before there was a service worker, it has not seen.
    const loaded = performance.getEntriesByType('resource').map(each => each.name);
    tell({ keep: [location.href, ...loaded].map(inSite) });
  }

  /** Return an address as a path in the site, without its query. */
  function inSite(address) {
    const path = address.startsWith(SITE) ? address.slice(SITE.length).replace(/[?#].*/, '') : '';
    return path.endsWith('/') ? `${path}index.html` : decodeURI(path);
  }

  /** Send the service worker a message, once there is one. */
  async function tell(message) {
    (await navigator.serviceWorker.ready).active.postMessage(message);
  }

  /** Hear what the service worker reports. */
  function hear({ data }) {
    if (data.problem) problem(data.problem);
    else if (!done) count(data.done, data.all);
  }

  /** Decide whether the browser has what JupyterLite and Pyodide need. */
  function modern() {
    return [self.BroadcastChannel, self.WebAssembly && WebAssembly.Tag, self.structuredClone].every(Boolean);
  }

  /** Open a small data base, which fails where the page may store nothing. */
  function probe() {
    return new Promise((resolve, reject) => {
      const opening = indexedDB.open('iot-probe');
      opening.onsuccess = () => resolve(opening.result.close());
      opening.onerror = () => reject(opening.error);
    });
  }

  /** Report where there is too little room for a learner's work. */
  async function checkRoom() {
    const { quota, usage } = await navigator.storage.estimate();
    if (quota - usage < ROOM) problem('full');
  }

  /** Report a rejection that nobody handled and that the learner can do something about. */
  function failed({ reason }) {
    if (reason && reason.name === 'QuotaExceededError') problem('full');
    else if (!done && /fetch|load/i.test(reason)) problem('offline');
  }

  /** Report a script that has not come. */
  function missing({ target }) {
    if (target.tagName === 'SCRIPT') problem('offline');
  }

  /** Start the service worker, which JupyterLite would do later. */
  async function startWorker() {
    await navigator.serviceWorker.register(`${SITE}service-worker.js?enableCache=false`);
    await tell({});
  }

  /** Begin: show what happens, and check that the lesson can work in this browser. */
  async function begin() {
    build();
    if (!modern()) return problem('old');
    say('Loading the lesson …');
    // A page of JupyterLab loads more than the 250 files that are noted by default.
    performance.setResourceTimingBufferSize(2_000);
    addEventListener('unhandledrejection', failed);
    addEventListener('error', missing, true);
    new BroadcastChannel(`iot-lesson ${SITE}`).onmessage = hear;
    await probe().then(checkRoom, () => problem('storage'));
    await startWorker().catch(() => problem('worker'));
  }

  window.iotPage = { say, problem, ready };
  begin();
})();
