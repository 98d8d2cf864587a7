import type { TracepointCatalog } from '../catalog.js';
import { type Block, elapsed, measured, offers, type Probe, toldOf } from './probe.js';

/**
 * Off the CPU and ready to run. A thread is followed from the moment it leaves a CPU; what is counted for whom is settled then, so that
 * neither the end of its process nor a new owner of its number adds to another's times.
 */
export function cpu(catalog: TracepointCatalog): Block | 'missing_tracepoint' {
  const needs = { 'sched/sched_switch': ['prev_pid', 'prev_state', 'next_pid'], 'sched/sched_wakeup': ['pid'] };
  if (!offers(catalog, needs)) return 'missing_tracepoint';
  const preempted = preemptedState(catalog.format('sched/sched_switch')?.print ?? '');
  const switched: Probe = {
    at: ['tracepoint:sched:sched_switch'],
    when: '',
    first: '$prev = (uint64)args->prev_pid; $next = (uint64)args->next_pid; $state = (uint64)args->prev_state;',
    // Every switch of the host pays for this: one look at a map for each thread that is not idle (0), and no clock, unless it is enrolled.
    // 0x10 and 0x20, EXIT_DEAD and EXIT_ZOMBIE: it never comes back, and its number may get another owner.
    body: `
  if ($prev) {
    $k = @vm[pid];
    if ($k && ($state & 0x30) == 0) {
      $left = nsecs; @off[$prev] = $left; @off_of[$prev] = $k;
      if ($state == 0 || $state == ${preempted}) { @ready[$prev] = $left; }
    }
  }
  if ($next) {
    $since = @off[$next];
    if ($since) {
      $now = nsecs; $owner = @off_of[$next]; $ns = ${elapsed('$now', '$since')}; $ready = @ready[$next];
      ${measured('cpu_block', '$owner', '$ns')}
      if ($ready) { $wait = ${elapsed('$now', '$ready')}; ${measured('run_queue', '$owner', '$wait')} delete(@ready[$next]); }
      delete(@off[$next]); delete(@off_of[$next]);
    }
  }`,
  };
  const woken: Probe = {
    at: ['tracepoint:sched:sched_wakeup'],
    when: '@off[(uint64)args->pid]',
    first: '',
    body: ' @ready[(uint64)args->pid] = nsecs;',
  };
  return { probes: [switched, woken, ...births(catalog)], tells: [...toldOf('cpu_block'), ...toldOf('run_queue')] };
}

/** A new thread waits for its first turn as well. A new process is another one: CLONE_THREAD, 0x10000, tells them apart. */
function births(catalog: TracepointCatalog): readonly Probe[] {
  if (!offers(catalog, { 'task/task_newtask': ['pid', 'clone_flags'], 'sched/sched_wakeup_new': ['pid'] })) return [];
  return [
    {
      at: ['tracepoint:task:task_newtask'],
      when: '(args->clone_flags & 0x10000) && @vm[pid]',
      first: '',
      body: ' @born[(uint64)args->pid] = @vm[pid];',
    },
    {
      at: ['tracepoint:sched:sched_wakeup_new'],
      when: '@born[(uint64)args->pid]',
      first: '$now = nsecs; $new = (uint64)args->pid;',
      body: ' @off[$new] = $now; @ready[$new] = $now; @off_of[$new] = @born[$new]; delete(@born[$new]);',
    },
  ];
}

/**
 * What prev_state says of a thread that was taken off the CPU while it wanted to go on: TASK_REPORT_MAX, twice the bit above all states.
 * It moved with the states that were added, so it is taken from how the kernel prints it: `(((0x0000 | 0x0001 | …) + 1) << 1)`.
 */
export function preemptedState(print: string): number {
  const states = /\(+((?:0x[0-9a-f]+ \| )+0x[0-9a-f]+)\) \+ 1\) << 1\)/.exec(print)?.[1];
  // Of Linux 4.14 and later.
  if (states === undefined) return 0x100;
  return (states.split(' | ').reduce((all, state) => all | Number(state), 0) + 1) << 1;
}
