import { accept } from '../records/accept-command.ts';
import { recordGroup } from '../records/record-group.ts';

/** `tandem quarantine list|show|retry|accept`. */
export const quarantine = recordGroup('quarantine', 'the kind of error', [
  {
    name: 'accept',
    summary: 'Leave refused rows out, with a reason that is kept',
    load: async () => accept,
  },
]);
