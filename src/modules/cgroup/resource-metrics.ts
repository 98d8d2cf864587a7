import { gauge, metric } from '../../model/metric.js';
import { IO_LIMITS, type IoLimit } from './io-stat.js';

export const RESOURCES = ['cpu', 'memory', 'io'] as const;
export type Resource = (typeof RESOURCES)[number];

/** Cells are millionths, and so ten-thousandths of a percent. */
export const RATIO_DECIMALS = 6;
export const PERCENT_DECIMALS = RATIO_DECIMALS - 2;

const UTILIZATION = gauge({
  name: 'vmgauge_vm_limit_utilization_ratio',
  help: 'How far the VM used up a limit of its cgroups: CPU time over its quota and bytes or requests over the tightest limit of a block device, both since the last look, memory over its limit. More than 1 is possible.',
  unit: 'ratio',
});
const ALERT = gauge({
  name: 'vmgauge_vm_limit_alert_level',
  help: 'How near the VM is to a limit of its cgroups: 0 none, 1 warning, 2 critical, 3 emergency. It rises after two looks in a row and falls 5 points below the threshold.',
});
const identity = 'id_name_namespace';
const POD_LIMIT = gauge({
  name: 'podtrace_resource_limit_bytes',
  help: 'Resource limit in bytes (or CPU quota in microseconds).',
  unit: 'bytes',
  identity,
});
const POD_USAGE = gauge({
  name: 'podtrace_resource_usage_bytes',
  help: 'Current resource usage in bytes (or CPU time in microseconds).',
  unit: 'bytes',
  identity,
});
const POD_UTILIZATION = gauge({
  name: 'podtrace_resource_utilization_percent',
  help: 'Resource utilization percentage (usage/limit * 100).',
  identity,
});
const POD_ALERT = gauge({
  name: 'podtrace_resource_alert_level',
  help: 'Resource alert level: 0=none, 1=warning (80%), 2=critical (90%), 3=emergency (95%).',
  identity,
});

/** Columns of one resource: what the seed of Podtrace calls limit and usage stands in other members of the document already. */
function metricsOf(resource: Resource) {
  const native = { resource };
  const labels = { resource_type: resource };
  return {
    utilization: metric({
      json: `limits.${resource}.utilization_ratio`,
      decimals: RATIO_DECIMALS,
      family: UTILIZATION,
      labels: native,
      also: [{ family: POD_UTILIZATION, labels, decimals: PERCENT_DECIMALS }],
    }),
    alert: metric({ json: `limits.${resource}.alert_level`, family: ALERT, labels: native, also: [{ family: POD_ALERT, labels }] }),
    limit: metric({ json: '', family: POD_LIMIT, labels }),
    usage: metric({ json: '', family: POD_USAGE, labels }),
  };
}
export const RESOURCE_METRICS: Readonly<Record<Resource, ReturnType<typeof metricsOf>>> = {
  cpu: metricsOf('cpu'),
  memory: metricsOf('memory'),
  io: metricsOf('io'),
};
const OPERATION_WORDS: Readonly<Record<IoLimit, string>> = {
  readBytes: 'read_bytes',
  writeBytes: 'write_bytes',
  readOperations: 'read_operations',
  writeOperations: 'write_operations',
};
export const RESOURCE_IO = {
  limit: metric({
    json: 'limits.io.limit_bytes_per_second',
    description: 'The limit of bytes a second at a block device that is used up most, or the least where none is used.',
  }),
  of: metric({
    json: 'limits.io.utilization_of',
    description: 'Which of its limits at the block device utilization_ratio is of.',
    words: { label: 'operation', list: IO_LIMITS.map((word) => OPERATION_WORDS[word]) },
  }),
  /** Row in the table of devices: the document has its name. */
  device: metric({ json: 'limits.io.utilization_device', description: 'Name of the block device that utilization_ratio is of.' }),
};
