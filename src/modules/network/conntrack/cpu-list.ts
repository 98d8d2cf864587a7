/** CONFIG_NR_CPUS goes no further. */
const MAX_CPUS = 8192;
const RANGE = /^(\d{1,4})(?:-(\d{1,4}))?$/;

/** A list of CPU numbers as sysfs prints it, `0-3,8`, ascending (kernel, Documentation/admin-guide/cputopology.rst). @returns null for anything else */
export function parseCpuList(text: string): readonly number[] | null {
  if (!text.endsWith('\n')) return null;
  const cpus: number[] = [];
  for (const range of text.slice(0, -1).split(',')) {
    const [, first, last = first] = RANGE.exec(range) ?? [];
    if (first === undefined || Number(first) > Number(last) || Number(first) <= (cpus.at(-1) ?? -1) || Number(last) >= MAX_CPUS)
      return null;
    for (let cpu = Number(first); cpu <= Number(last); cpu++) cpus.push(cpu);
  }
  return cpus;
}
