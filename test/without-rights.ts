const ROOT = 0;
const NOBODY = 65_534;

/** Does the work as a user who may read nothing of root's: root itself is refused nothing. Other users are refused as they are. */
export async function withoutRights<T>(work: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== ROOT) return work();
  process.seteuid?.(NOBODY);
  try {
    return await work();
  } finally {
    process.seteuid?.(ROOT);
  }
}
