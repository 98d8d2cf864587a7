import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { readOpenapi, type Schema } from './openapi.js';

const isRecord = (value: unknown): value is Schema => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The same schema without room for members it does not name: a member the view added is then as wrong as one it lost. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (!isRecord(schema)) return schema;
  const copy = Object.fromEntries(Object.entries(schema).map(([word, value]) => [word, closed(value)]));
  return isRecord(copy.properties) && !('additionalProperties' in copy) ? { ...copy, additionalProperties: false } : copy;
}

/** Validators of the document's schemas, closed, by name. */
export class Schemas {
  private readonly ajv = new Ajv2020({ strict: false, allErrors: true });

  constructor() {
    for (const format of ['int64', 'double']) this.ajv.addFormat(format, true);
    this.ajv.addFormat('date-time', /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/);
    const { schemas } = readOpenapi().components;
    const { OpenapiDocument, ...others } = schemas;
    this.ajv.addSchema({ $id: 'openapi', components: { schemas: { ...(closed(others) as object), OpenapiDocument } } });
  }

  /** What is wrong with a value, or nothing. */
  complaints(name: string, value: unknown): string[] {
    const validate = this.validator(name);
    if (validate(value)) return [];
    return (validate.errors ?? []).map(({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`);
  }

  private validator(name: string): ValidateFunction {
    const validate = this.ajv.getSchema(`openapi#/components/schemas/${name}`);
    if (!validate) throw new Error(`openapi.yaml has no schema ${name}`);
    return validate;
  }
}

/** `#/components/schemas/Instance` → `Instance` */
export const nameOfSchema = ({ $ref }: Schema): string | undefined => (typeof $ref === 'string' ? $ref.split('/').pop() : undefined);
