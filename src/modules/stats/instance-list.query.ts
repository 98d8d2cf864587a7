import { IsIn, IsOptional, IsString, Matches, MaxLength } from 'class-validator';
import { HYPERVISORS, STATES } from '../../model/instance.js';

/** Filters of `GET /instances`; all must hold. */
export class InstanceListQuery {
  @IsOptional()
  @IsString()
  @MaxLength(64)
  source?: string;

  @IsOptional()
  @IsIn(HYPERVISORS)
  hypervisor?: string;

  @IsOptional()
  @IsIn(STATES)
  state?: string;

  @IsOptional()
  @IsString()
  @MaxLength(256)
  name?: string;

  @IsOptional()
  @Matches(/^[1-9][0-9]{0,3}$/, { message: 'limit must be a number from 1 to 9999' })
  limit?: string;

  @IsOptional()
  @IsString()
  @MaxLength(256)
  cursor?: string;
}
