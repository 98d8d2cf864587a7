/** `<slice>:<prefix>:<name>` is how runc's systemd driver and Kata's spell a scope. */
const SYSTEMD = /^\/?(?<slice>[^/:]*\.slice):(?<prefix>[^/:]*):(?<name>[^/:]+)$/;

/** PATH_MAX. */
const LONGEST = 4096;

/**
 * A cgroup as OCI specs and Kata's files name it → its path below the hierarchy's root, `/kubepods/…`; undefined for one that would lead
 * out of it.
 */
export function cgroupPath(word: string | undefined): string | undefined {
  if (word === undefined || word.length > LONGEST) return undefined;
  const { slice, prefix, name } = SYSTEMD.exec(word)?.groups ?? {};
  const path = slice === undefined ? word : [...slicePath(slice), unit(prefix, name)].join('/');
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  // Each part of a slice's name is a directory that repeats all before it.
  return parts.length === 0 || path.length > LONGEST || parts.includes('..') ? undefined : `/${parts.join('/')}`;
}

/** systemd.slice(5): `a-b.slice` lies in `a.slice`; `-.slice` is the root. */
function slicePath(slice: string): string[] {
  const words = slice.slice(0, -'.slice'.length).split('-');
  if (words.includes('')) return slice === '-.slice' ? [] : [slice];
  return words.map((_, i) => `${words.slice(0, i + 1).join('-')}.slice`);
}

const unit = (prefix: string, name: string): string => {
  if (name.endsWith('.slice')) return name;
  return `${prefix === '' ? '' : `${prefix}-`}${name}.scope`;
};
