/** An absolute path with `*` for any run of characters within one part. */
export function globPattern(glob: string): RegExp {
  const parts = glob.split('*').map((literal) => literal.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('[^/]*')}$`);
}
