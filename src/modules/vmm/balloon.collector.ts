import { counter, gauge, metric } from '../../model/metric.js';
import { type AllocatedMemory, type Balloon, isTold, type Told } from './answer.js';
import { numbersOf } from './numbers-topic.js';

const METRICS = {
  actualBytes: metric({
    json: 'memory.balloon.actual_bytes',
    family: gauge({
      name: 'vmgauge_vm_balloon_actual_bytes',
      help: 'Memory the balloon leaves to the guest; where the VMM tells what it holds, the memory it gave less that.',
      unit: 'bytes',
    }),
  }),
  heldBytes: metric({
    json: 'memory.balloon.held_bytes',
    family: gauge({
      name: 'vmgauge_vm_balloon_held_bytes',
      help: 'Memory the balloon holds back from the guest; where the VMM tells what it leaves, the memory it gave less that.',
      unit: 'bytes',
    }),
  }),
  targetHeldBytes: metric({
    json: 'memory.balloon.target_held_bytes',
    family: gauge({
      name: 'vmgauge_vm_balloon_target_held_bytes',
      help: 'What the balloon was last told to hold; the guest decides how fast it gets there.',
      unit: 'bytes',
    }),
  }),
  inflations: metric({
    json: 'memory.balloon.inflations',
    family: counter({ name: 'vmgauge_vm_balloon_inflations_total', help: 'Times the guest handed memory to the balloon.' }),
  }),
  deflations: metric({
    json: 'memory.balloon.deflations',
    family: counter({ name: 'vmgauge_vm_balloon_deflations_total', help: 'Times the guest took memory back from the balloon.' }),
  }),
};

/** How much of its memory a guest has given back. */
export class BalloonCollector extends numbersOf({
  about: {
    name: 'balloon',
    tier: 'sweep',
    reads: 'what the VMM answered `vmm`: what the balloon leaves to the guest and what it holds',
    enabled: true,
  },
  metrics: METRICS,
  of: ({ balloon, memory }) => (isTold(balloon) ? { ...balloon, ...other(balloon, memory) } : balloon),
}) {}

/** The one of the two that the VMM leaves to be worked out, from what the same answer says it gave. */
function other({ actualBytes, heldBytes }: Balloon, memory: Told<AllocatedMemory>): Pick<Balloon, 'actualBytes' | 'heldBytes'> {
  const given = isTold(memory) ? memory.bytes : undefined;
  if (given === undefined) return {};
  if (actualBytes !== undefined && heldBytes === undefined) return { heldBytes: given - actualBytes };
  if (heldBytes !== undefined && actualBytes === undefined) return { actualBytes: given - heldBytes };
  return {};
}
