/** Why a series of a stranger's text is not passed on. */
export const DROP_REASONS = {
  malformed: 'no sample by the text format',
  label: 'it has a label that is ours to give, or one twice',
  duplicate: 'it stands twice',
  misfit: 'no sample of its family’s type, or not in its place',
  conflict: 'its family has a type or a name that others contradict',
  foreign: 'its family is not one that such a text has',
  limit: 'beyond the limits of length and number',
  ours: 'its family is one that this agent gives itself',
  excluded: 'its family is left out by the configuration',
} as const;
export type DropReason = keyof typeof DROP_REASONS;

/** How many were dropped, by reason. */
export type Dropped = Record<DropReason, number>;

export const nothingDropped = (): Dropped => ({
  malformed: 0,
  label: 0,
  duplicate: 0,
  misfit: 0,
  conflict: 0,
  foreign: 0,
  limit: 0,
  ours: 0,
  excluded: 0,
});
