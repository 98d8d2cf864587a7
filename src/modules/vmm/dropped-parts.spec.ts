import { expect, it } from 'vitest';
import { droppedParts } from './dropped-parts.js';

it('what was dropped is a family that tells the kinds apart', () => {
  const { families, json } = droppedParts('kvmEvents', 'exits.kvm.dropped_events');
  expect([json, families[0].labels]).toEqual(['exits.kvm.dropped_events', { kind: 'kvm_events' }]);
  expect(families[0].family).toBe(droppedParts('disks', 'x').families[0].family);
});
