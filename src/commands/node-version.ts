/** `engines` of package.json. */
export const OLDEST_NODE = '22.12';

/** @param version as `process.versions.node` has it */
export function isSupportedNode(version: string): boolean {
  const [major, minor] = version.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_NODE.split('.').map(Number);
  return major > oldestMajor || (major === oldestMajor && minor >= oldestMinor);
}
