import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Clock ticks a second that the kernel tells user space, on every architecture. */
const USER_HZ = 100;
const PAGE_BYTES = 4096;
/** 2^64-1 as every client library prints it. */
const UNLIMITED = 2 ** 64;

/** Value of each series without the labels that say whose it is: `kata_shim_proc_stat{item="utime"}`. */
export type Readings = ReadonlyMap<string, number>;

/**
 * What Kata's families must say, read from the files of a /proc with no code of the agent's: the kernel's documents and the tables of
 * Kata's are the only source.
 */
export class KataFiles {
  /** @param proc a recorded /proc or the machine's */
  constructor(private readonly proc: string) {}

  /** `kata_shim_*`, `kata_hypervisor_*` or `kata_virtiofsd_*` of one process, network and overhead aside. */
  ofProcess(role: 'shim' | 'hypervisor' | 'virtiofsd', pid: number): Readings {
    const prefix = `kata_${role}`;
    const stat = this.stat(`${pid}/stat`);
    const found = new Map<string, number>([
      [`${prefix}_threads`, Number(stat[19])],
      [`${prefix}_fds`, readdirSync(join(this.proc, `${pid}/fd`)).length],
    ]);
    for (const [item, field] of Object.entries({ utime: 13, stime: 14, cutime: 15, cstime: 16 })) {
      found.set(`${prefix}_proc_stat{item="${item}"}`, Number(stat[field]));
    }
    for (const [key, value] of this.lines(`${pid}/io`)) {
      const item = { read_bytes: 'readbytes', write_bytes: 'writebytes', cancelled_write_bytes: 'cancelledwritebytes' }[key] ?? key;
      found.set(`${prefix}_io_stat{item="${item}"}`, value);
    }
    for (const [item, value] of this.status(pid)) found.set(`${prefix}_proc_status{item="${item}"}`, value);
    return role === 'shim' ? new Map([...found, ...this.processFamilies(pid, stat)]) : found;
  }

  /** The families that each client library of Prometheus has of its own process. */
  private processFamilies(pid: number, stat: readonly string[]): Readings {
    const boot = Number(/^btime (\d+)$/m.exec(this.text('stat'))?.[1]);
    const limit = (what: string): number => {
      const soft = new RegExp(`^${what} +(\\S+)`, 'm').exec(this.text(`${pid}/limits`))?.[1];
      return soft === 'unlimited' ? UNLIMITED : Number(soft);
    };
    return new Map([
      ['kata_shim_process_cpu_seconds_total', (Number(stat[13]) + Number(stat[14])) / USER_HZ],
      ['kata_shim_process_open_fds', readdirSync(join(this.proc, `${pid}/fd`)).length],
      ['kata_shim_process_max_fds', limit('Max open files')],
      ['kata_shim_process_virtual_memory_bytes', Number(stat[22])],
      ['kata_shim_process_virtual_memory_max_bytes', limit('Max address space')],
      ['kata_shim_process_resident_memory_bytes', Number(stat[23]) * PAGE_BYTES],
      ['kata_shim_process_start_time_seconds', boot + Number(stat[21]) / USER_HZ],
    ]);
  }

  /** `<family>{interface,item}` of every line of a net/dev. @param path below /proc */
  interfaces(family: string, path: string): Readings {
    const items = ['bytes', 'packets', 'errs', 'drop', 'fifo', 'frame', 'compressed', 'multicast'].map((item) => `recv_${item}`);
    items.push(...['bytes', 'packets', 'errs', 'drop', 'fifo', 'colls', 'carrier', 'compressed'].map((item) => `sent_${item}`));
    const found = new Map<string, number>();
    for (const line of this.text(path).split('\n').slice(2)) {
      const [, name, columns] = /^ *(.+): *(\d.*)$/.exec(line) ?? [];
      if (name === undefined) continue;
      for (const [i, value] of columns.trim().split(/ +/).entries())
        found.set(`${family}{interface="${name}",item="${items[i]}"}`, Number(value));
    }
    return found;
  }

  interfaceNames(path: string): readonly string[] {
    return [...this.text(path).matchAll(/^ *([^\s|]+): *\d/gm)].map(([, name]) => name);
  }

  /** Resident bytes of a process without what is mapped of guest RAM, mapping by mapping. @param isGuestRam by the path of a mapping */
  residentWithout(pid: number, isGuestRam: (path: string) => boolean): number {
    return this.mappings(pid).reduce((sum, { path, rss }) => sum + (isGuestRam(path) ? 0 : rss), 0);
  }

  /** Bytes behind guest RAM: resident, or of huge pages. */
  guestRam(pid: number, isGuestRam: (path: string) => boolean): number {
    return this.mappings(pid).reduce((sum, { path, rss, huge }) => sum + (isGuestRam(path) ? rss + huge : 0), 0);
  }

  /** Threads by their names and ticks of CPU time, user and system. */
  threads(pid: number): readonly { readonly tid: number; readonly name: string; readonly ticks: number; readonly guestTicks: number }[] {
    return readdirSync(join(this.proc, `${pid}/task`)).map((tid) => {
      const stat = this.stat(`${pid}/task/${tid}/stat`);
      return { tid: Number(tid), name: stat[1], ticks: Number(stat[13]) + Number(stat[14]), guestTicks: Number(stat[42]) };
    });
  }

  /** User and system time of a whole process, ticks. */
  ticks(pid: number): number {
    const stat = this.stat(`${pid}/stat`);
    return Number(stat[13]) + Number(stat[14]);
  }

  private mappings(pid: number): { path: string; rss: number; huge: number }[] {
    return this.text(`${pid}/smaps`)
      .split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)
      .filter((one) => one !== '')
      .map((one) => {
        const kib = (key: string): number => Number(new RegExp(`^${key}: +(\\d+) kB$`, 'm').exec(one)?.[1]) * 1024;
        const path = /^\S+ \S+ \S+ \S+ \d+ *(.*)$/m.exec(one)?.[1] ?? '';
        return { path, rss: kib('Rss'), huge: kib('Shared_Hugetlb') + kib('Private_Hugetlb') };
      });
  }

  /** Kata's items of status: memory in bytes, switches as they are. */
  private status(pid: number): Readings {
    const wanted =
      /^(Vm(?:Peak|Size|Lck|Pin|HWM|RSS|Data|Stk|Exe|Lib|PTE|PMD|Swap)|Rss(?:Anon|File|Shmem)|HugetlbPages|(?:non)?voluntary_ctxt_switches)$/;
    const found = new Map<string, number>();
    for (const [, key, value, unit] of this.text(`${pid}/status`).matchAll(/^(\w+):\s+(\d+)( kB)?$/gm)) {
      if (wanted.test(key)) found.set(key.toLowerCase(), unit === undefined ? Number(value) : Number(value) * 1024);
    }
    return found;
  }

  private lines(path: string): [string, number][] {
    return [...this.text(path).matchAll(/^(\w+): (\d+)$/gm)].map(([, key, value]) => [key, Number(value)]);
  }

  /** Field n of proc_pid_stat(5) at n − 1. */
  private stat(path: string): string[] {
    const line = this.text(path);
    const name = line.slice(line.indexOf('(') + 1, line.lastIndexOf(')'));
    return [
      line.slice(0, line.indexOf(' ')),
      name,
      ...line
        .slice(line.lastIndexOf(')') + 2)
        .trim()
        .split(' '),
    ];
  }

  private text(path: string): string {
    return readFileSync(join(this.proc, path), 'latin1');
  }
}
