/**
 * Pyodide's memory with the lesson imported, made once when the site is built. A page copies it in
 * place of starting Python and importing 900 modules, which takes seconds.
 *
 * The file: the head of Pyodide's own snapshot; the size of the memory; a sum; how many pages; where
 * each goes; the pages. What a fresh memory holds anyway is left out, and the sum is over that.
 */

const PAGE = 4096;

/** Let a fresh memory grow to a size, the same way each time. */
function grow(module, size) {
  while (module.HEAPU8.length < size) {
    if (!module._malloc(1 << 20)) throw new Error('no room for the memory');
  }
  return module.HEAPU8;
}

/** Add up the words of the pages that are not in the list. */
function sum(memory, pages) {
  const words = new Int32Array(memory.buffer, memory.byteOffset, memory.byteLength >> 2);
  const listed = new Set(pages);
  let total = 0;
  for (let page = 0; page < memory.length / PAGE; page++) {
    if (listed.has(page)) continue;
    const end = ((page + 1) * PAGE) >> 2;
    for (let word = (page * PAGE) >> 2; word < end; word++) total = (total * 31 + words[word]) | 0;
  }
  return total;
}

/** Decide whether two memories hold the same in a page. */
function same(one, other, page) {
  for (let at = page * PAGE; at < (page + 1) * PAGE; at++) if (one[at] !== other[at]) return false;
  return true;
}

/** Write the file, from Pyodide's snapshot and a fresh module that it is compared with. */
export function pack(snapshot, fresh) {
  const offset = new Uint32Array(snapshot.buffer, snapshot.byteOffset, 2)[1];
  const memory = snapshot.subarray(offset);
  const before = grow(fresh, memory.length).slice(0, memory.length);
  const pages = [];
  for (let page = 0; page < memory.length / PAGE; page++) {
    if (!same(memory, before, page)) pages.push(page);
  }
  const head = new Int32Array([memory.length, sum(before, pages), pages.length, ...pages]);
  const file = new Uint8Array(offset + head.byteLength + pages.length * PAGE);
  file.set(snapshot.subarray(0, offset));
  file.set(new Uint8Array(head.buffer), offset);
  let at = offset + head.byteLength;
  for (const page of pages) {
    file.set(memory.subarray(page * PAGE, (page + 1) * PAGE), at);
    at += PAGE;
  }
  return file;
}

/** Return the head of Pyodide's snapshot, which it reads itself. */
export function head(file) {
  return file.slice(0, new Uint32Array(file.buffer, file.byteOffset, 2)[1]);
}

/** Fill a fresh module's memory from the file; it fails where this memory began as another. */
export function fill(module, file) {
  const offset = head(file).length;
  const [size, expected, count] = new Int32Array(file.buffer, file.byteOffset + offset, 3);
  const pages = new Int32Array(file.buffer, file.byteOffset + offset + 12, count);
  const memory = grow(module, size);
  if (sum(memory.subarray(0, size), pages) !== expected) throw new Error('a fresh memory differs');
  let at = offset + 12 + count * 4;
  for (const page of pages) {
    memory.set(file.subarray(at, at + PAGE), page * PAGE);
    at += PAGE;
  }
}

/** Name what JavaScript's side of the memory holds, so that each page finds its own. */
export function serializer(pyodide) {
  return value => {
    if (typeof value === 'function' && value.name in pyodide) return value.name;
    if (value.runPython && value.registerJsModule) return 'pyodide';
    throw new Error(`the memory holds ${value}`);
  };
}

/** Find what a name stands for in this page. */
export function deserializer(module) {
  return name => (name === 'pyodide' ? module().API.public_api : module().API.public_api[name]);
}
