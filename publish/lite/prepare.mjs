/**
 * Compile the lesson's Python for the page, and copy a memory with all of it imported:
 * `node prepare.mjs FOLDER`, where FOLDER holds pyodide/ (as in the site), source/ and later/, and gets
 * compiled/, compiled-later/, memory.bin and imported.json.
 */
import crypto from 'node:crypto';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, copied] = [path.resolve(process.argv[2]), process.argv[3] === 'memory'];

// A clock and a chance that are the same everywhere: one commit makes one site. A page draws its own.
const BEGIN = Date.UTC(2026, 8, 21);
let [now, drawn] = [BEGIN, 1];
process.env.TZ = 'UTC';
Date.now = () => ++now;
performance.now = () => ++now - BEGIN;
crypto.randomFillSync = bytes => {
  for (let at = 0; at < bytes.length; at++) bytes[at] = (drawn = Math.imul(drawn, 69069) + 1) >>> 24;
  return bytes;
};
syncBuiltinESMExports();
// Else what Node no longer needs gives up its Python objects whenever Node happens to collect it.
globalThis.FinalizationRegistry = class { register() {} unregister() {} };
process.argv.splice(1, Infinity, 'python');  // where this was built is nobody's business
const at = (...names) => path.join(folder, ...names);
const from = name => import(pathToFileURL(at('pyodide', name)).href);
const { loadPyodide } = await from('pyodide.mjs');
const { pack, serializer } = await from('memory.mjs');
const SITE = '/lib/python3.14/site-packages';

const COMPILE = `
import os, py_compile, warnings
from pathlib import Path
warnings.simplefilter("ignore")  # a library's own, such as an invalid escape
UNCHECKED = py_compile.PycInvalidationMode.UNCHECKED_HASH
for source in sorted(Path(from_folder).rglob("*")):
    name = source.relative_to(from_folder).as_posix()
    target = Path(to_folder, name)
    if source.is_dir():
        target.mkdir(exist_ok=True)
    elif source.suffix != ".py":
        target.write_bytes(source.read_bytes())
    elif name.split("/")[0] in ours:
        target.write_bytes(source.read_bytes())
        cached = target.parent / "__pycache__" / f"{target.stem}.cpython-314.pyc"
        py_compile.compile(str(source), str(cached), f"{site}/{name}", True, invalidation_mode=UNCHECKED)
    else:
        py_compile.compile(str(source), f"{target}c", f"{site}/{name}", True, 2, UNCHECKED)
`;

/** Compile one folder of sources into another; docstrings and sources stay where a learner reads them. */
function compile(pyodide, source, target) {
  fs.mkdirSync(at(target), { recursive: true });
  for (const name of [source, target]) {
    pyodide.FS.mkdirTree(`/${name}`);
    pyodide.FS.mount(pyodide.FS.filesystems.NODEFS, { root: at(name) }, `/${name}`);
  }
  const ours = ['exercises', 'helpers', 'iot_policy', 'sandbox', 'iot_start.py'];
  const values = { from_folder: `/${source}`, to_folder: `/${target}`, site: SITE, ours };
  pyodide.runPython(COMPILE, { globals: pyodide.toPy({ ...values, __name__: 'compile' }) });
}

/** Put a folder's files into the page's file system. */
function put(FS, from, to) {
  FS.mkdirTree(to);
  for (const each of fs.readdirSync(from, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const [file, target] = [path.join(from, each.name), `${to}/${each.name}`];
    if (each.isDirectory()) put(FS, file, target);
    else FS.writeFile(target, fs.readFileSync(file));
  }
}

/** Import everything in a fresh Python, and write its memory down. */
async function copyMemory() {
  const env = { AWS_CONFIG_FILE: '/dev/null', AWS_SHARED_CREDENTIALS_FILE: '/dev/null' };
  env.PYTHONHASHSEED = '1';  // the same memory each time
  const indexURL = at('pyodide');
  const pyodide = await loadPyodide({ indexURL, env, _makeSnapshot: true });
  put(pyodide.FS, at('compiled'), SITE);
  const files = pyodide.runPython('import iot_start; iot_start.load(); iot_start.note()').toJs();
  const { default: make } = await from('pyodide.asm.mjs');
  let fresh;
  const createPyodideModule = async settings => {
    fresh = await make(settings);
    throw new Error('fresh');
  };
  const stop = error => {
    if (error.message !== 'fresh') throw error;
  };
  await loadPyodide({ indexURL, env, createPyodideModule, _loadSnapshot: new Uint8Array(64) }).catch(stop);
  const snapshot = pyodide.makeMemorySnapshot({ serializer: serializer(pyodide) });
  fs.writeFileSync(at('imported.json'), JSON.stringify(files.sort()));
  return pack(snapshot, fresh);
}

/** Compress with Python's own zstd: gzip makes a third more of it. */
async function compress(bytes) {
  const pyodide = await loadPyodide({ indexURL: at('pyodide') });
  const globals = pyodide.toPy({ options: { level: 19, window: 26 } });
  globals.set('bytes_in', bytes);
  const code = `
from compression.zstd import CompressionParameter as Parameter, compress
given = {Parameter.compression_level: options["level"], Parameter.window_log: options["window"]}
compress(bytes_in.to_bytes(), options=given)`;
  return pyodide.runPython(code, { globals }).toJs();
}

if (copied) {
  fs.writeFileSync(at('memory.zst'), await compress(await copyMemory()));
} else {
  const env = { PYTHONNODEBUGRANGES: '1' };
  const pyodide = await loadPyodide({ indexURL: at('pyodide'), env });
  compile(pyodide, 'source', 'compiled');
  compile(pyodide, 'later', 'compiled-later');
}
process.exit();  // Pyodide keeps timers
