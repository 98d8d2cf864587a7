import { execFileSync } from 'node:child_process';

/** What ps(1) of procps says of a process. */
export interface PsReading {
  /** KiB. */
  readonly rss: number;
  /** KiB. */
  readonly vsz: number;
  /** Whole seconds, cut off. */
  readonly cpuSeconds: number;
  readonly threads: number;
  /** Whole seconds since it started, cut off. */
  readonly elapsedSeconds: number;
  readonly state: string;
}

export function readPs(pid: number): PsReading {
  const text = execFileSync('ps', ['-o', 'rss=,vsz=,cputimes=,nlwp=,etimes=,stat=', '-p', String(pid)], { encoding: 'utf8' });
  const [rss, vsz, cpuSeconds, threads, elapsedSeconds, state] = text.trim().split(/\s+/);
  return {
    rss: Number(rss),
    vsz: Number(vsz),
    cpuSeconds: Number(cpuSeconds),
    threads: Number(threads),
    elapsedSeconds: Number(elapsedSeconds),
    state,
  };
}
