/** Files for Pyodide's file system: a tar in, files out, without a copy. */

const BLOCK = 512;
const text = new TextDecoder();

/** Return a field of a tar header: what comes before its first zero. */
function field(bytes, from, to) {
  const end = bytes.indexOf(0, from);
  return text.decode(bytes.subarray(from, end >= from && end < to ? end : to));
}

/** Put the files of a tar (ustar) into a folder of Pyodide's file system. */
export function unpack(FS, tar, folder) {
  const made = new Set();
  for (let at = 0; tar[at]; ) {
    const prefix = field(tar, at + 345, at + 500);
    const path = `${folder}/${prefix && `${prefix}/`}${field(tar, at, at + 100)}`;
    const size = parseInt(field(tar, at + 124, at + 136), 8);
    const parent = path.slice(0, path.lastIndexOf('/'));
    if (!made.has(parent)) FS.mkdirTree(parent);
    made.add(parent);
    at += BLOCK;
    FS.writeFile(path, tar.subarray(at, at + size), { canOwn: true });
    at += Math.ceil(size / BLOCK) * BLOCK;
  }
}
