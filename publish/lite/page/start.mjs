/**
 * What JupyterLite's kernel takes for Pyodide: it starts the real one, with the lesson in it. From the
 * copied memory where there is one and it fits this browser; else by importing everything.
 */
import { loadPyodide as load } from './pyodide.mjs';
import { unpack } from './files.mjs';
import { decompress } from './fzstd.mjs';
import { deserializer, fill, head } from './memory.mjs';

const SITE = '/lib/python3.14/site-packages';
const LATER = 8_000;

/** Fetch a file that lies beside this one. */
async function bytes(name) {
  const answer = await fetch(new URL(name, import.meta.url));
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}

/** Start from the copied memory. */
async function wake(options, coming) {
  const [packed, make] = await Promise.all([coming, import('./pyodide.asm.mjs')]);
  const file = decompress(packed);
  let module;
  const createPyodideModule = async settings => {
    module = await make.default(settings);
    fill(module, file);
    return module;
  };
  const _snapshotDeserializer = deserializer(() => module);
  const stdLibURL = new URL('rest.zip', import.meta.url).href;
  return load({ ...options, stdLibURL, createPyodideModule, _loadSnapshot: head(file), _snapshotDeserializer });
}

/** Start Python, and import everything. */
async function start(options, library, wheels) {
  const pyodide = await load(options);
  unpack(pyodide.FS, await library, SITE);
  if (wheels.length) await pyodide.loadPackage(wheels, { messageCallback: () => {} });
  return pyodide;
}

/** Get the better Tab completion when the page has nothing else to do. */
async function complete(pyodide) {
  unpack(pyodide.FS, await bytes('later.tar'), SITE);
  pyodide.runPython('import importlib, iot_start; importlib.invalidate_caches(); iot_start.jedi(True)');
}

/** Begin at once: what the kernel gives later, where to print, is asked for when it is needed. */
async function begin() {
  const { memory, wheels } = await (await fetch(new URL('lesson.json', import.meta.url))).json();
  const options = {
    indexURL: new URL('.', import.meta.url).href,
    env: { AWS_CONFIG_FILE: '/dev/null', AWS_SHARED_CREDENTIALS_FILE: '/dev/null' },
    stdout: text => (print.stdout ?? console.log)(text),
    stderr: text => (print.stderr ?? console.error)(text),
  };
  const lesson = bytes('lesson.tar');
  let pyodide;
  let call = 'wake';
  if (memory) {
    pyodide = await wake(options, bytes('memory.zst')).catch(error => console.warn('no copied memory:', error));
  }
  if (!pyodide) {
    call = 'load';
    pyodide = await start(options, bytes('library.tar'), wheels);
  }
  unpack(pyodide.FS, await lesson, SITE);
  pyodide.runPython(`import iot_start; iot_start.${call}()`);
  return pyodide;
}

const print = {};
const begun = begin();

/** Hand over Pyodide with the lesson in it; JupyterLite's kernel calls this. */
export async function loadPyodide({ stdout, stderr }) {
  Object.assign(print, { stdout, stderr });
  const pyodide = await begun;
  setTimeout(() => complete(pyodide).catch(error => console.warn('no Tab completion:', error)), LATER);
  return pyodide;
}
