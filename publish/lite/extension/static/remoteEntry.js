/**
 * The lesson's JupyterLab extension, by hand: no bundler, and JupyterLab's modules come from the scope
 * that it hands to `init`.
 */
(() => {
  const NAME = 'iot-lesson';
  const HERE = document.currentScript.src;
  const SAVE_AFTER = 1_000;
  const OPENED_AFTER = 5_000;
  let kernels = 0;
  let scope;

  /** Take one of the modules that JupyterLab shares. */
  async function shared(name) {
    const [entry] = Object.values(scope[name]);
    return (await entry.get())();
  }

  /** Mark the reply of a cell that promised its error, so that JupyterLite lets the next cells run. */
  function goOn(message, request) {
    const promised = request?.content.stop_on_error === false;
    // JupyterLite 0.8 drops what is queued after any error but an interrupt's (its client.ts).
    if (message.header.msg_type === 'execute_reply' && promised) message.metadata.cause = 'interrupt';
    return message;
  }

  /** Make a kernel that goes on after a promised error, and say when it is ready. */
  async function createKernel(create, options) {
    const page = window.iotPage;
    kernels += 1;
    page.say('Starting Python …');
    const sendMessage = message => options.sendMessage(goOn(message, kernel.parent));
    const kernel = await create({ ...options, sendMessage });
    kernel.ready.then(page.ready, reason => /disposed/.test(reason) || page.problem('python'));
    return kernel;
  }

  /** Wrap the kernels that are registered, now and later. */
  function wrapKernels(specs) {
    const ours = new WeakSet();
    const wrap = () => {
      for (const [name, create] of specs.factories) {
        if (ours.has(create)) continue;
        const wrapped = options => createKernel(create, options);
        ours.add(wrapped);
        specs.factories.set(name, wrapped);
      }
    };
    specs.changed.connect(wrap);
    wrap();
  }

  /** Let the browser save a file. */
  function save(blob, name) {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }

  /** Give JupyterLite's links to stored files the file's own name, and its bytes of now. */
  function nameDownloads(drive) {
    const paths = new Map();
    const original = drive.getDownloadUrl.bind(drive);
    drive.getDownloadUrl = async path => {
      const url = await original(path);
      paths.set(url, path);
      return url;
    };
    const click = async event => {
      const link = event.target.closest?.('a[download]');
      if (!link || !paths.has(link.href) || link.download) return;
      event.preventDefault();
      const path = paths.get(link.href);
      const url = await original(path);
      save(await (await fetch(url)).blob(), path.split('/').pop());
      URL.revokeObjectURL(url);
    };
    document.addEventListener('click', click, true);
  }

  /** Return a stored file's bytes. */
  function bytesOf({ format, content }) {
    if (format === 'base64') return Uint8Array.from(atob(content), letter => letter.charCodeAt(0));
    const text = format === 'json' ? `${JSON.stringify(content, null, 1)}\n` : content;
    return new TextEncoder().encode(text);
  }

  /** Collect what this browser keeps: each path with its bytes. */
  async function stored(drive) {
    const files = {};
    await (await drive.storage).iterate((model, path) => {
      if (model.type !== 'directory') files[path] = bytesOf(model);
    });
    return files;
  }

  /** Return today's date here, as 2026-11-30. */
  function today() {
    const now = new Date();
    const parts = [now.getFullYear(), now.getMonth() + 1, now.getDate()];
    return parts.map(each => String(each).padStart(2, '0')).join('-');
  }

  /** Ask, then save one zip of everything that this browser keeps. */
  async function download(app, drive, { showDialog, Dialog }) {
    const { button } = await showDialog({
      title: 'Download my work?',
      body: 'You get one .zip with your notebooks, your keys and all else that you made here. It holds private keys: keep it to yourself.',
      buttons: [Dialog.cancelButton(), Dialog.okButton({ label: 'Download' })],
    });
    if (!button.accept) return;
    await app.commands.execute('docmanager:save-all');
    const { zipSync } = await import(new URL('fflate.js', HERE).href);
    save(new Blob([zipSync(await stored(drive))], { type: 'application/zip' }), `iot-lesson-${today()}.zip`);
  }

  /** Leave the page's state behind and load it anew, with no question about unsaved changes. */
  function reload() {
    addEventListener('beforeunload', event => event.stopImmediatePropagation(), true);
    location.reload();
  }

  /** Ask, then delete what this browser keeps, in every tab, and begin again. */
  async function startOver(app, drive, workspaces, tabs, { showDialog, Dialog }) {
    const { button } = await showDialog({
      title: 'Start over?',
      body: 'This deletes your notebooks, your keys and your account from this browser. It cannot be undone. The lesson itself stays.',
      buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: 'Delete and start over' })],
      defaultButton: 0,
    });
    if (!button.accept) return;
    await app.serviceManager.sessions.shutdownAll();
    tabs.postMessage('reload');
    await Promise.all([drive.clearStorage(), workspaces.clear()]);
    localStorage.removeItem(NAME);
    reload();
  }

  /** Add the two commands to the File menu and, as buttons, to the page. */
  function addCommands(app, menu, actions) {
    const bar = document.createElement('div');
    bar.id = 'iot-work';
    bar.setAttribute('role', 'toolbar');
    bar.setAttribute('aria-label', 'My work');
    const items = Object.entries(actions).map(([label, execute], number) => {
      const command = `${NAME}:${number}`;
      app.commands.addCommand(command, { label, execute });
      const button = document.createElement('button');
      button.textContent = label;
      button.onclick = () => app.commands.execute(command);
      bar.append(button);
      return { command };
    });
    menu.fileMenu.addGroup(items, 0.5);
    document.body.append(bar);
  }

  /** Ask the browser to keep the work, once there is some; say where it may not, or has not. */
  async function guardWork(drive, { Notification }) {
    const told = localStorage.getItem(NAME);
    const kept = (await (await drive.storage).length()) > 0;
    if (told && !kept) {
      Notification.warning('The browser has deleted your work to make room. The lesson begins anew.', { autoClose: false });
    }
    const ask = async () => {
      drive.fileChanged.disconnect(ask);
      localStorage.setItem(NAME, 'told');
      if ((await navigator.storage.persist()) || told) return;
      Notification.info('This browser may delete your work when it runs short of room. Download my work keeps a copy.', { autoClose: 15_000 });
    };
    kept ? ask() : drive.fileChanged.connect(ask);
  }

  /** Save what a cell has changed soon after it ran: a page may be closed at any time. */
  function saveSoon(app, { NotebookActions }) {
    let timer;
    NotebookActions.executed.connect(() => {
      clearTimeout(timer);
      timer = setTimeout(() => app.commands.execute('docmanager:save-all'), SAVE_AFTER);
    });
  }

  /** Make the plug-ins, once JupyterLab's modules are there. */
  async function plugins() {
    const names = ['@jupyterlite/services', '@jupyterlab/services', '@jupyterlab/apputils', '@jupyterlab/mainmenu', '@jupyterlab/notebook'];
    const [lite, services, dialogs, { IMainMenu }, notebook] = await Promise.all(names.map(shared));
    const running = {
      id: `${NAME}:kernels`,
      autoStart: true,
      requires: [lite.IKernelSpecs],
      activate: (app, specs) => {
        wrapKernels(specs);
        // Where no notebook is opened, there is nothing to wait for.
        app.restored.then(() => setTimeout(() => kernels || window.iotPage.say(''), OPENED_AFTER));
      },
    };
    const work = {
      id: `${NAME}:work`,
      autoStart: true,
      requires: [services.IDefaultDrive, services.IWorkspaceManager, IMainMenu],
      activate: (app, drive, workspaces, menu) => {
        const tabs = new BroadcastChannel(`${NAME} tabs ${HERE}`);
        tabs.onmessage = reload;
        addCommands(app, menu, {
          'Download my work': () => download(app, drive, dialogs),
          'Start over': () => startOver(app, drive, workspaces, tabs, dialogs),
        });
        nameDownloads(drive);
        guardWork(drive, dialogs);
        saveSoon(app, notebook);
      },
    };
    return [running, work];
  }

  window._JUPYTERLAB ??= {};
  window._JUPYTERLAB[NAME] = {
    init: shareScope => {
      scope = shareScope;
    },
    get: async () => {
      const list = await plugins();
      return () => ({ __esModule: true, default: list });
    },
  };
})();
