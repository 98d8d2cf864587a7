import { Injectable } from '@nestjs/common';
import { type MetricObjectWithValues, type MetricValue, type MetricValueWithName, register } from 'prom-client';
import { labels } from '../../model/labels.js';
import type { OwnFamily, OwnSample } from './own-families.js';

type Values = MetricObjectWithValues<MetricValue<string>>;

const PREFIX = 'vmgauge_';

/**
 * The agent's own few metrics as the client library holds them (nestjs-prometheus keeps them in the library's global registry). Only ours
 * are taken: an application that embeds the house serves its own itself.
 */
@Injectable()
export class ClientFamilies {
  async families(): Promise<OwnFamily[]> {
    const objects = await register.getMetricsAsJSON();
    return objects.filter(({ name }) => name.startsWith(PREFIX)).map((object) => toFamily(object));
  }
}

function toFamily(object: Values): OwnFamily {
  const { name, help } = object;
  const type = String(object.type);
  return {
    name,
    help,
    type: type === 'counter' || type === 'histogram' || type === 'summary' ? type : 'gauge',
    ...(name.endsWith('_seconds') || name.endsWith('_seconds_total') ? { unit: 'seconds' } : {}),
    ...(name.endsWith('_bytes') ? { unit: 'bytes' } : {}),
    samples: () => object.values.map((sample) => toSample(name, sample)).sort((a, b) => (a.labels < b.labels ? -1 : 1)),
  };
}

function toSample(family: string, sample: MetricValue<string> | MetricValueWithName<string>): OwnSample {
  const pairs = Object.fromEntries(Object.entries(sample.labels).map(([key, value]) => [key, String(value)]));
  const suffix = 'metricName' in sample ? (sample.metricName ?? family).slice(family.length) : '';
  return { labels: labels(pairs), value: sample.value, suffix };
}
