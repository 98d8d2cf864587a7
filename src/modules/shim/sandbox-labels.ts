import type { Subject } from '../../model/collector.js';
import { ID_PATTERN } from '../../model/instance.js';
import { labels } from '../../model/labels.js';

/** Kata's own id of a sandbox; the instance's where nobody tells it, or what an application tells is none. */
export function sandboxIdOf({ id, record: { sandbox } }: Subject): string {
  return sandbox?.id !== undefined && ID_PATTERN.test(sandbox.id) ? sandbox.id : id;
}

/**
 * Labels of a sandbox's series, rendered: `sandbox_id` and, in kata-monitor's order, what the CRI calls the pod; empty where nobody knows.
 * @param cri whether the pod's labels are wanted
 */
export function sandboxLabels(subject: Subject, cri: boolean): string {
  const sandbox_id = sandboxIdOf(subject);
  if (!cri) return labels({ sandbox_id });
  const { uid = '', name = '', namespace = '' } = subject.record.sandbox?.pod ?? {};
  return labels({ sandbox_id, cri_uid: uid, cri_name: name, cri_namespace: namespace });
}
