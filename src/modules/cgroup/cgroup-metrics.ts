import { counter, FLOAT, gauge, metric } from '../../model/metric.js';
import { MICROSECOND_DECIMALS } from '../../model/units.js';

const EVENT_FAMILY = counter({
  name: 'vmgauge_vm_cgroup_memory_events_total',
  help: 'How often memory of the VM’s own cgroup, or of one in it, ran into a limit: `low` taken although protected, `high` held back, `max` at the limit, `oom` out of memory, `oom_kill` a process killed, `oom_group_kill` all of them.',
});
const event = (word: string, what: string) =>
  metric({ json: `limits.memory.events.${word}`, description: what, family: EVENT_FAMILY, labels: { event: word } });

/** In the units of the kernel's files: microseconds, bytes, counts. */
export const CGROUP_METRICS = {
  cores: metric({
    json: 'limits.cpu.limit_cores',
    decimals: FLOAT,
    family: gauge({
      name: 'vmgauge_vm_limit_cpu_cores',
      help: 'CPUs that the VM may use together: the least of quota by period over its own cgroup and all it lies in. Missing where there is no quota.',
    }),
  }),
  quota: metric({
    json: 'limits.cpu.quota_seconds',
    decimals: MICROSECOND_DECIMALS,
    family: gauge({
      name: 'vmgauge_vm_limit_cpu_quota_seconds',
      help: 'CPU time that may be used in each period, at the level that limits most.',
      unit: 'seconds',
    }),
  }),
  period: metric({
    json: 'limits.cpu.period_seconds',
    decimals: MICROSECOND_DECIMALS,
    family: gauge({ name: 'vmgauge_vm_limit_cpu_period_seconds', help: 'Period of that quota.', unit: 'seconds' }),
  }),
  burst: metric({
    json: 'limits.cpu.burst_seconds',
    decimals: MICROSECOND_DECIMALS,
    family: gauge({
      name: 'vmgauge_vm_limit_cpu_burst_seconds',
      help: 'Unused quota of earlier periods that may be used beyond that quota in one.',
      unit: 'seconds',
    }),
  }),
  weight: metric({
    json: 'limits.cpu.weight',
    decimals: FLOAT,
    family: gauge({
      name: 'vmgauge_vm_cgroup_cpu_weight',
      help: 'Share of the VM’s own cgroup among its neighbours where CPUs are short; 100 is the kernel’s default, 1024 shares of version 1.',
    }),
  }),
  cpuUsage: metric({
    json: 'limits.cpu.usage_seconds',
    decimals: MICROSECOND_DECIMALS,
    family: counter({
      name: 'vmgauge_vm_cgroup_cpu_usage_seconds_total',
      help: 'CPU time of all that is in the VM’s own cgroup: its VMM and the processes that work for it.',
      unit: 'seconds',
    }),
    rate: 'cgroup_cpu_cores',
  }),
  memoryMax: metric({
    json: 'limits.memory.limit_bytes',
    family: gauge({
      name: 'vmgauge_vm_limit_memory_bytes',
      help: 'Memory beyond which a process of the VM is killed: the least limit over its own cgroup and all it lies in. Missing where there is none.',
      unit: 'bytes',
    }),
  }),
  memoryHigh: metric({
    json: 'limits.memory.high_bytes',
    family: gauge({
      name: 'vmgauge_vm_limit_memory_high_bytes',
      help: 'Memory beyond which the VM is held back: the least over its own cgroup and all it lies in. Version 2 only.',
      unit: 'bytes',
    }),
  }),
  memoryLow: metric({
    json: 'limits.memory.low_bytes',
    family: gauge({
      name: 'vmgauge_vm_cgroup_memory_low_bytes',
      help: 'Memory of the VM’s own cgroup that is taken only where nothing else is left. Version 2 only.',
      unit: 'bytes',
    }),
  }),
  memoryMin: metric({
    json: 'limits.memory.min_bytes',
    family: gauge({
      name: 'vmgauge_vm_cgroup_memory_min_bytes',
      help: 'Memory of the VM’s own cgroup that is never taken. Version 2 only.',
      unit: 'bytes',
    }),
  }),
  memoryUsage: metric({
    json: 'limits.memory.usage_bytes',
    family: gauge({
      name: 'vmgauge_vm_cgroup_memory_usage_bytes',
      help: 'Memory of all that is in the VM’s own cgroup, cached files with it.',
      unit: 'bytes',
    }),
  }),
  workingSet: metric({
    json: 'limits.memory.working_set_bytes',
    family: gauge({
      name: 'vmgauge_vm_cgroup_memory_working_set_bytes',
      help: 'Of that, what the kernel does not give back at the first need: less file pages that were not used lately. At most 15 s old.',
      unit: 'bytes',
    }),
  }),
  memoryPeak: metric({
    json: 'limits.memory.peak_bytes',
    family: gauge({
      name: 'vmgauge_vm_cgroup_memory_peak_bytes',
      help: 'The most memory that the VM’s own cgroup ever used.',
      unit: 'bytes',
    }),
  }),
  swapMax: metric({
    json: 'limits.memory.swap_limit_bytes',
    family: gauge({
      name: 'vmgauge_vm_limit_swap_bytes',
      help: 'Swap that the VM may use: the least limit over its own cgroup and all it lies in. Version 2 only.',
      unit: 'bytes',
    }),
  }),
  swapUsage: metric({
    json: 'limits.memory.swap_usage_bytes',
    family: gauge({
      name: 'vmgauge_vm_cgroup_swap_usage_bytes',
      help: 'Swap of all that is in the VM’s own cgroup. Version 2 only.',
      unit: 'bytes',
    }),
  }),
  low: event('low', 'How often memory was taken although protected.'),
  high: event('high', 'How often processes were held back for memory.high.'),
  max: event('max', 'How often usage was about to pass the limit.'),
  oom: event('oom', 'How often an allocation was about to fail for the limit.'),
  oomKill: event('oom_kill', 'Processes killed by the kernel for lack of memory.'),
  oomGroupKill: event('oom_group_kill', 'How often all processes were killed together for lack of memory.'),
  pidsMax: metric({
    json: 'limits.pids.limit',
    family: gauge({
      name: 'vmgauge_vm_limit_tasks',
      help: 'Processes and threads that the VM may have: the least limit over its own cgroup and all it lies in. Missing where there is none.',
    }),
  }),
  pids: metric({
    json: 'limits.pids.usage',
    family: gauge({ name: 'vmgauge_vm_cgroup_tasks', help: 'Processes and threads in the VM’s own cgroup.' }),
  }),
  pidsPeak: metric({
    json: 'limits.pids.peak',
    family: gauge({ name: 'vmgauge_vm_cgroup_tasks_peak', help: 'The most processes and threads that the VM’s own cgroup ever had.' }),
  }),
};
export type LimitWord = keyof typeof CGROUP_METRICS;
