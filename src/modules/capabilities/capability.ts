import type { Outcome } from '../../model/outcome.js';
import type { ProbeTools } from './probe-tools.js';

/**
 * `required`: VMs, or what every VM has, are missing without it, or the configuration asks for it; or the look itself failed. `optional`: VMs that run here would show
 * more with it, or show it cheaper. `none`: nothing on this host asks for it.
 */
export const NEEDS = ['required', 'optional', 'none'] as const;
export type Need = (typeof NEEDS)[number];

/** Where a line of a fix goes. */
export const PLACES = [
  ...['shell', 'systemd unit', 'docker run', 'kubernetes', 'vmgauge flag', 'kernel command line', 'firmware'],
  ...['qemu arguments', 'libvirt XML', 'stratovirt arguments', 'cloud-hypervisor arguments', 'firecracker arguments'],
] as const;
export type Place = (typeof PLACES)[number];

export interface Step {
  readonly where: Place;
  /** Exactly what is put there; words in capitals stand for what only the operator knows. */
  readonly line: string;
}

/** Steps are alternatives, one a place; those of the same place belong together and are in order. */
export interface Fix {
  readonly text: string;
  readonly steps: readonly Step[];
}

export type Lacking = Exclude<Outcome, typeof Outcome.ok>;

/** What a probe found. `detail` is what was seen, for people; it holds no content of a stranger's file. */
export type Finding =
  | { readonly outcome: typeof Outcome.ok; readonly detail: string }
  | {
      readonly outcome: Lacking;
      readonly detail: string;
      readonly need: Need;
      readonly fix: Fix;
      /** Ids of the instances that lack something for it. */
      readonly affects: readonly string[];
    };

/** Looks whether this host gives one thing. One file for a few that belong together, and a line in probes.ts. */
export interface Probe {
  /** Lower case words. */
  readonly name: string;
  /** What it is good for, a sentence without its end. */
  readonly gives: string;
  /** Collectors that have less without it. */
  readonly collectors: readonly string[];
  /** How it is needed where it is there, or where a look was refused. */
  readonly need: Need;
  /**
   * Touches no VMM and opens nobody's socket. What the host does is a finding; the system's errors that it throws are taken for one.
   * Everything that may wait goes through `tools.look`.
   */
  find(tools: ProbeTools): Finding | Promise<Finding>;
}

export const works = (detail: string): Finding => ({ outcome: 0, detail });

export interface Lack {
  readonly detail: string;
  readonly need: Need;
  readonly fix: Fix;
  readonly affects?: readonly string[];
}

export const lacks = (outcome: Lacking, { detail, need, fix, affects = [] }: Lack): Finding => ({ outcome, detail, need, fix, affects });

/** @param steps lines by place */
export const fix = (text: string, ...steps: readonly (readonly [where: Place, line: string])[]): Fix => ({
  text,
  steps: steps.map(([where, line]) => ({ where, line })),
});
