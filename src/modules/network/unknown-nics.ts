import { Outcome, outcomeOfErrno } from '../../model/outcome.js';
import type { HeldProcess } from '../../model/process.js';

/** Why nobody knows an instance's NICs: because we may not look at its descriptors, or because they tell nothing. */
export function whyUnknown(process: HeldProcess): Outcome {
  try {
    process.descriptorCount();
    return Outcome.unsupported;
  } catch (error) {
    return outcomeOfErrno(error);
  }
}
