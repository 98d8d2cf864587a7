import { gauge, type Metric, metric } from '../../model/metric.js';
import { MAX_PARTS } from '../../model/part-rows.js';
import type { Part } from '../../model/parts.js';

const DROPPED = gauge({
  name: 'vmgauge_vm_vmm_dropped_parts',
  help: 'Parts of what the VMM or KVM told that are not shown: their name had come before, or there were more than 512 of the kind.',
});

/** @param json its place in the stats document */
export const droppedParts = (part: Part, json: string): Metric =>
  metric({
    json,
    description: `How many of what was told are not shown: a name that had come before, or more than ${MAX_PARTS} of the kind.`,
    family: DROPPED,
    labels: { kind: part.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) },
  });
