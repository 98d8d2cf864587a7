import type { Subject } from '../../model/collector.js';
import { labels } from '../../model/labels.js';

/**
 * Labels of a sandbox's series, rendered: `sandbox_id` and, in kata-monitor's order, what the CRI calls the pod; empty where nobody knows.
 * @param cri whether the pod's labels are wanted
 */
export function sandboxLabels({ id, record }: Subject, cri: boolean): string {
  const sandbox_id = record.sandbox?.id ?? id;
  if (!cri) return labels({ sandbox_id });
  const { uid = '', name = '', namespace = '' } = record.sandbox?.pod ?? {};
  return labels({ sandbox_id, cri_uid: uid, cri_name: name, cri_namespace: namespace });
}
