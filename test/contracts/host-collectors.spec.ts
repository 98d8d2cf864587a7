import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Outcome } from '../../src/model/outcome.js';
import { HOST_COLLECTORS } from '../../src/modules/collection/host-collectors.js';
import { FakeProc } from '../fake-proc.js';
import { type HostCollectors, hostCollectorsOn } from '../host-collectors.js';

let proc: FakeProc;
let collectors: HostCollectors;
beforeEach(async () => {
  proc = new FakeProc();
  collectors = await hostCollectorsOn(proc.host());
});
afterEach(async () => {
  await collectors.close();
  proc.close();
});

describe.each(HOST_COLLECTORS.map((Listed) => [Listed.about.name, Listed] as const))('host collector %s', (name, Listed) => {
  const one = () => collectors.states.find(({ collector }) => collector.about.name === name)?.collector ?? expect.fail(name);

  it('is the listed class and says what it reads', () => {
    expect(one()).toBeInstanceOf(Listed);
    expect(one().about).toBe(Listed.about);
    expect(Listed.about.reads).not.toMatch(/\.$/);
  });

  it('has a timer when and only when it reads on one', () => {
    expect(one().intervalMs !== undefined).toBe(one().about.tier === 'timer');
  });

  it('gives the same families before and after a reading, each with its samples or none', async () => {
    const before = one().families();
    await one().read();
    const words = ({ name: family, type, help }: { name: string; type: string; help: string }) => ({ family, type, help });
    expect(one().families().map(words)).toEqual(before.map(words));
    for (const { samples } of one().families()) for (const { value } of samples()) expect(value).not.toBeNaN();
  });

  it('reads a host that has nothing for it, as an outcome', async () => {
    const outcome = await one().read();
    expect(Object.values(Outcome)).toContain(outcome);
  });

  it('gives no number that it did not read', () => {
    // What it says of other programs is what the configuration names, and there is none.
    expect(
      one()
        .families()
        .flatMap(({ name: family, samples }) => [...samples()].map(() => family)),
    ).toEqual([]);
  });

  it('answers at once in a sweep', () => {
    if (one().about.tier === 'sweep') expect(one().read()).toBeTypeOf('number');
    else expect(one().read()).toBeInstanceOf(Promise);
  });

  it('can be closed twice, and before it was read', () => {
    one().close?.();
    one().close?.();
  });
});
