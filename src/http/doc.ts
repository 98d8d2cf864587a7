import { SetMetadata } from '@nestjs/common';
import type { ErrorCode } from '../model/errors.js';

export const DOC = 'vmgauge:doc';

/** What openapi.yaml says of a route beyond path and method. Read by the generator only; nothing of it costs a request anything. */
export interface RouteDoc {
  readonly tag: 'instances' | 'metrics' | 'health' | 'documents';
  readonly summary: string;
  readonly description?: string;
  readonly ok: {
    readonly status?: number;
    readonly description: string;
    readonly contentType: string;
    /** Name of a schema the generator knows; text bodies have none. */
    readonly schema?: string;
    /** File below test/golden whose content is the example. */
    readonly example?: string;
  };
  readonly errors: readonly ErrorCode[];
  readonly query?: readonly QueryDoc[];
  readonly body?: string;
  /** The route asks for no token even where the others do. */
  readonly open?: boolean;
}

export interface QueryDoc {
  readonly name: string;
  readonly description: string;
  readonly type?: 'string' | 'integer' | 'array';
}

export const Doc = (doc: RouteDoc): MethodDecorator => SetMetadata(DOC, doc);
