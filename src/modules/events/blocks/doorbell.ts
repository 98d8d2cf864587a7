import type { TracepointCatalog } from '../catalog.js';
import { type Needs, offers, type Probe } from './probe.js';

export const DOORBELL_NEEDS: Needs = { 'syscalls/sys_enter_kill': ['pid', 'sig'], 'sched/sched_process_exit': ['pid'] };
export const DOORBELL_MAPS: readonly string[] = ['vm', 'dev'];

/** Who is enrolled. @see ../doorbell.ts for what the numbers mean */
export function doorbell(catalog: TracepointCatalog, ringer: number): readonly Probe[] {
  return [
    {
      at: ['tracepoint:syscalls:sys_enter_kill'],
      when: `pid == ${ringer} && args->sig == 0`,
      // System calls have 64-bit arguments, of which the upper half says nothing here.
      first: '$number = (uint64)args->pid & 0xffffffff; $kind = $number >> 28; $payload = $number & 0xfffffff;',
      body: `
  if ($kind == 1) { @rung_key = $payload; }
  if ($kind == 2) { @rung_namespace = $payload; }
  if ($kind == 3) {
    if (@rung_key > 0) { @dev[@rung_namespace, $payload] = @rung_key; @any_device = 1; }
    else { if (@dev[@rung_namespace, $payload]) { delete(@dev[@rung_namespace, $payload]); } }
  }
  if ($kind == 0) { if (@rung_key > 0) { @vm[$payload] = @rung_key; } else { if (@vm[$payload]) { delete(@vm[$payload]); } } }`,
    },
    {
      at: ['tracepoint:sched:sched_process_exit'],
      when: '@vm[pid]',
      first: '',
      body: `\n  if (${isLastThread(catalog)}) { delete(@vm[pid]); }`,
    },
  ];
}

/** A process ends with its last thread, which need not be its first. */
function isLastThread(catalog: TracepointCatalog): string {
  if (offers(catalog, { 'sched/sched_process_exit': ['group_dead'] })) return 'args->group_dead';
  // What that field is made of: threads that live, this one not among them any more.
  if (catalog.hasBtf) return '((struct task_struct *)curtask)->signal->live.counter == 0';
  return 'pid == tid';
}
