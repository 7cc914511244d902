/**
 * Keys of roots that are gone and whose rows the target could not remove, accepted ones too: on a
 * list though they are none of the roots that are there. `$1`: the entity.
 */
export const REFUSED_REMOVALS = ['quarantine', 'accepted']
  .map(
    (list) => `select root_key from tandem.${list}
      where entity = $1 and error_class = 'TARGET_REFUSED_REMOVAL'`,
  )
  .join(' union all ');
