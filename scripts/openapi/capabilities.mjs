// Schemas of GET /capabilities: the shapes of src/modules/capabilities/document.ts. Tests hold them against answers.
import { OUTCOMES, outcomeWords } from '../../dist/model/outcome.js';
import { NEEDS, PLACES } from '../../dist/modules/capabilities/capability.js';
import { object } from './schema-words.mjs';

const ref = (name) => ({ $ref: `#/components/schemas/${name}` });
const text = (description, rest = {}) => ({ type: 'string', description, ...rest });
const count = (description) => ({ type: 'integer', description });
const words = (description) => ({ type: 'array', items: { type: 'string' }, description });

const REASONS = OUTCOMES.map((code) => outcomeWords(code).reason).filter((reason) => reason !== undefined);

export const capabilitySchemas = () => ({
  Capabilities: object('What this host gives, what it does not, why, and what to do about it.', {
    checked_at: { type: ['string', 'null'], format: 'date-time', description: 'When it was looked.' },
    healthy: { type: 'boolean', description: 'All that is required is there.' },
    summary: object('How many capabilities there are of each status.', {
      ok: count('Given.'),
      absent: count('Not given.'),
      failed: count('Nobody can tell.'),
    }),
    capabilities: { type: 'array', items: ref('Capability'), description: 'Always all of them in the same order.' },
  }),
  Capability: object('One thing that a host may give.', {
    name: text('Lower case words.'),
    status: text('Whether it is given.', { enum: ['ok', 'absent', 'failed'] }),
    reason: { type: ['string', 'null'], enum: [...REASONS, null], description: 'Why not; null where it is given.' },
    need: text(
      'required: VMs, or what every VM has, are missing without it, or the configuration asks for it, or the look failed. optional: VMs of this host would show more with it. none: nothing asks for it.',
      { enum: [...NEEDS] },
    ),
    gives: text('What it is good for.'),
    collectors: words('Collectors that have less without it.'),
    families: words('Families of the Prometheus page that these collectors fill, sorted.'),
    detail: text('What was seen.'),
    fix: { description: 'What to do about it; null where it is given.', oneOf: [ref('Fix'), { type: 'null' }] },
    affects: object('Running instances that lack something for it.', {
      count: count('How many.'),
      first: words('Ids of the first few, sorted.'),
    }),
  }),
  Fix: object('What to do.', {
    text: text('In words.'),
    steps: {
      type: 'array',
      items: ref('FixStep'),
      description: 'Alternatives, one a place; lines of the same place belong together, in order.',
    },
  }),
  FixStep: object('One line of a fix.', {
    where: text('Where the line goes.', { enum: [...PLACES] }),
    line: text('Exactly what is put there; words in capitals are for the operator to fill in.'),
  }),
});
