/**
 * The lesson's part of the service worker, put before JupyterLite's own text: the site's files, kept
 * by version for a quick second visit and without a network, and a lock between notebooks.
 * What it does not answer, JupyterLite's listener gets: the drive, stdin and the heartbeat.
 *
 * `iot-files.json` is written by the build: {"version": any text, "files": {path: bytes},
 * "sha256": {path: hexadecimal}, "first": [paths that the first kernel needs],
 * "download": their bytes as a host sends them, compressed; without it, sizes are shown as they are}.
 */
(() => {
  const SCOPE = self.registration.scope;
  const LIST = `${SCOPE}iot-files.json`;
  // Sites of one host share its caches.
  const PREFIX = `iot-files ${SCOPE} `;
  const LOCK = `${SCOPE}api/iot-lock/`;
  const HEARTBEAT = '/api/service-worker-heartbeat';
  const LOST_AFTER = 10_000;
  const page = new BroadcastChannel(`iot-lesson ${SCOPE}`);
  const coming = new Map();
  const come = new Map();
  const queue = [];
  let current;
  let expiry;

  /** Read the list of the version that this browser keeps; null where it keeps none. */
  async function held() {
    const name = (await caches.keys()).find(each => each.startsWith(PREFIX));
    const list = name && (await (await caches.open(name)).match(LIST));
    return list ? list.json() : null;
  }

  /** Fetch the list of the version that the site has now; null where the site cannot be reached. */
  async function published(patience) {
    const signal = AbortSignal.timeout(patience);
    const answer = await fetch(LIST, { cache: 'no-cache', signal }).catch(() => null);
    return answer && answer.ok ? answer.json() : null;
  }

  /** Decide whether a page is open that was loaded from the version kept now. */
  async function inUse(request) {
    const open = await self.clients.matchAll({ type: 'window', includeUncontrolled: true });
    const ours = open.filter(each => each.url.startsWith(SCOPE));
    return ours.length > (request.isReloadNavigation ? 1 : 0);
  }

  /** Move to the newest version as a whole, unless an open page still needs the older one. */
  async function settle(request) {
    const mine = await (current ??= held());
    const newest = await published(mine ? 3_000 : 30_000);
    if (!newest || newest.version === mine?.version || (mine && (await inUse(request)))) {
      return mine;
    }
    const name = PREFIX + newest.version;
    const older = (await caches.keys()).filter(each => each.startsWith(PREFIX) && each !== name);
    await Promise.all(older.map(each => caches.delete(each)));
    await (await caches.open(name)).put(LIST, Response.json(newest));
    current = Promise.resolve(newest);
    return newest;
  }

  /** Keep a file; where the browser has no room for it, say so and go on without. */
  async function keep(cache, path, answer) {
    try {
      await cache.put(SCOPE + path, answer);
    } catch (error) {
      if (error.name !== 'QuotaExceededError') throw error;
      page.postMessage({ problem: 'full' });
    }
  }

  /** Tell the page how much has come of what it needs first, in bytes as they are sent. */
  function report({ first, files, download }) {
    const add = sizes => sizes.reduce((sum, each) => sum + each, 0);
    const all = add(first.map(path => files[path]));
    const sent = (download ?? all) / all;
    page.postMessage({ done: add(first.map(path => come.get(path) ?? 0)) * sent, all: all * sent });
  }

  /** Read a body to its end, and report each part of it. */
  async function counted(list, path, answer) {
    const parts = [];
    for (let reader = answer.body.getReader(), part; !(part = await reader.read()).done; ) {
      parts.push(part.value);
      come.set(path, (come.get(path) ?? 0) + part.value.length);
      report(list);
    }
    return new Blob(parts).arrayBuffer();
  }

  /** Return the SHA-256 of some bytes, in hexadecimal. */
  async function digest(bytes) {
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    return Array.from(hash, byte => byte.toString(16).padStart(2, '0')).join('');
  }

  /** Fetch a file of one version, check that it is that version's, and keep it. */
  async function download(list, cache, path) {
    const answer = await fetch(SCOPE + path, { cache: 'no-cache' }).catch(() => Response.error());
    if (answer.type === 'error') page.postMessage({ problem: 'offline' });
    if (!answer.ok) return answer;
    const bytes = await counted(list, path, answer);
    if ((await digest(bytes)) !== list.sha256[path]) {
      page.postMessage({ problem: 'newer' });
      return Response.error();
    }
    const headers = new Headers(answer.headers);
    // The bytes are as they are in the file, no longer as they were sent.
    ['Content-Encoding', 'Content-Length'].forEach(each => headers.delete(each));
    await keep(cache, path, new Response(bytes, { headers }));
    return new Response(bytes, { headers });
  }

  /** Answer with a file: the one kept, or the site's; two requests at once are one download. */
  async function file(list, path) {
    const cache = await caches.open(PREFIX + list.version);
    const kept = await cache.match(SCOPE + path);
    if (kept) {
      come.set(path, list.files[path]);
      return kept;
    }
    if (!coming.has(path)) {
      coming.set(path, download(list, cache, path).finally(() => coming.delete(path)));
    }
    return (await coming.get(path)).clone();
  }

  /**
   * Answer a GET: a file of the site from its version. What the list has not is not there: JupyterLite
   * asks for each path of a learner's that it does not find, and no host need hear those.
   */
  async function serve(request) {
    const list = await (request.mode === 'navigate' ? settle(request) : (current ??= held()));
    const path = decodeURI(request.url.slice(SCOPE.length).replace(/[?#].*/, ''));
    const name = path === '' || path.endsWith('/') ? `${path}index.html` : path;
    if (list && name in list.files) return file(list, name);
    return list && request.url !== LIST ? new Response(null, { status: 404 }) : fetch(request);
  }

  /** Keep what is needed first; later what the page names, and the lesson's own files. */
  async function collect(names) {
    const list = (await (current ??= held())) ?? (await settle({}));
    if (!list) return;
    const lesson = Object.keys(list.files).filter(path => /^(files|api)\//.test(path));
    const wanted = names ? [...names, ...lesson].filter(path => path in list.files) : list.first;
    await Promise.all(wanted.map(path => file(list, path)));
    report(list);
  }

  /** Give the lock to the one who has waited longest; who keeps it for 10 s has lost it. */
  function next() {
    if (queue.length === 0) return;
    const { holder, answer } = queue[0];
    answer(new Response(null, { status: 204 }));
    expiry = setTimeout(() => leave(holder), LOST_AFTER);
  }

  /** Take a holder off the queue; if it had the lock, the next one gets it. */
  function leave(holder) {
    const place = queue.findIndex(each => each.holder === holder);
    if (place < 0) return;
    queue.splice(place, 1);
    if (place > 0) return;
    clearTimeout(expiry);
    next();
  }

  /** Answer a request for the lock when it is free, or one to release it at once. */
  function lock(method, holder) {
    if (method === 'DELETE') {
      leave(holder);
      return new Response(null, { status: 204 });
    }
    return new Promise(answer => {
      queue.push({ holder, answer });
      if (queue.length === 1) next();
    });
  }

  /** Choose who answers a request: the lock, the files, or JupyterLite. */
  function onFetch(event) {
    const { request } = event;
    // Another host's, or another site's on this one.
    if (!request.url.startsWith(SCOPE)) return;
    // Who answers here ends the event: JupyterLite's listener never sees it.
    if (request.url.startsWith(LOCK) && ['POST', 'DELETE'].includes(request.method)) {
      event.respondWith(lock(request.method, request.url.slice(LOCK.length)));
    } else if (request.method === 'GET' && new URL(request.url).pathname !== HEARTBEAT) {
      event.respondWith(serve(request));
    }
  }

  self.addEventListener('fetch', onFetch);
  self.addEventListener('message', event => event.waitUntil(collect(event.data.keep)));
})();
