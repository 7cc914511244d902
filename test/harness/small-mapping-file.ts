/** The small mapping as a module that `MAPPING` can name. */
export { SMALL_MAPPING as default } from './small-mapping.ts';
