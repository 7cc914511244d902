-- Seed rows of the lookup tables. They are complete: replication makes no further row of
-- order_states and message_types, and of order_types only for legacy courses.
--
-- The ids are literal, so that the seeds need nothing of the engine; each is what the function in
-- the comment beside it returns.

-- The first three have the ids of the legacy courses 1, 2 and 3, which thereby adopt them.
insert into public.order_types
  (id, key, name, kind)
values
  -- uuid_of('order_type', 1)
  ('6dfa5a45-f559-8000-8000-000000000001', 'main', 'Main', 'main'),
  -- uuid_of('order_type', 2)
  ('6dfa5a45-f559-8000-8000-000000000002', 'refinement', 'Refinement', 'refinement'),
  -- uuid_of('order_type', 3)
  ('6dfa5a45-f559-8000-8000-000000000003', 'replacement', 'Replacement', 'replacement'),
  -- uuid_of('order_type', 'retainer')
  ('6dfa5a45-f559-8002-9af6-3eae43ae3808', 'retainer', 'Retainer', 'retainer'),
  -- uuid_of('order_type', 'emergency')
  ('6dfa5a45-f559-8002-ae55-79b342021d13', 'emergency', 'Emergency', 'emergency'),
  -- uuid_of('order_type', 'consultation')
  ('6dfa5a45-f559-8002-9c96-52687e0863a3', 'consultation', 'Consultation', 'consultation')
on conflict (id) do nothing;

-- One row per order status but unknown, and one per code of the legacy state log.
insert into public.order_states
  (id, key, name, status, legacy_source, legacy_code, sequence_order, is_initial, is_final)
values
  -- uuid_of('order_state', 'no_product')
  ('09c5afca-e3d6-8002-b063-59e4f18ca483', 'no_product', 'No product', 'no_product', 'instruction_status', 0, 10, true, false),
  -- uuid_of('order_state', 'submitted')
  ('09c5afca-e3d6-8002-b81b-e33f0e7c4aaa', 'submitted', 'Submitted', 'submitted', 'instruction_status', 1, 20, false, false),
  -- uuid_of('order_state', 'add_plan')
  ('09c5afca-e3d6-8002-84e7-840ac2905129', 'add_plan', 'Add plan', 'add_plan', 'instruction_status', 5, 30, false, false),
  -- uuid_of('order_state', 'approved')
  ('09c5afca-e3d6-8002-89a1-fe1bb59e12e2', 'approved', 'Approved', 'approved', 'instruction_status', 2, 40, false, false),
  -- uuid_of('order_state', 'in_production')
  ('09c5afca-e3d6-8002-971a-8d82eecf9f39', 'in_production', 'In production', 'in_production', 'instruction_status', 3, 50, false, false),
  -- uuid_of('order_state', 'shipped')
  ('09c5afca-e3d6-8002-9a60-c43eb6fe949d', 'shipped', 'Shipped', 'shipped', 'instruction_status', 4, 60, false, true),
  -- uuid_of('order_state', 'completed')
  ('09c5afca-e3d6-8002-9376-cfa5a00687b8', 'completed', 'Completed', 'completed', null, null, 70, false, true),
  -- uuid_of('order_state', 'on_hold')
  ('09c5afca-e3d6-8002-baee-3a9ae8f7437e', 'on_hold', 'On hold', 'on_hold', null, null, 80, false, false),
  -- uuid_of('order_state', 'cancelled')
  ('09c5afca-e3d6-8002-a2d1-c117adee3290', 'cancelled', 'Cancelled', 'cancelled', null, null, 90, false, true),
  -- uuid_of('order_state', 'state_11')
  ('09c5afca-e3d6-8002-9760-51b8c3c95122', 'state_11', 'State 11', 'unknown', 'dispatch_state', 11, 110, false, false),
  -- uuid_of('order_state', 'state_12')
  ('09c5afca-e3d6-8002-b872-e5872d0aee36', 'state_12', 'State 12', 'unknown', 'dispatch_state', 12, 120, false, false)
on conflict (id) do nothing;

-- The meaning of the legacy codes is contested, so their names do not claim one.
insert into public.message_types
  (id, key, name, category, legacy_code)
values
  -- uuid_of('message_type', 'general')
  ('9143ad75-8b24-8002-83fa-b85b554d96b3', 'general', 'General', 'unknown', null),
  -- uuid_of('message_type', 'status_update')
  ('9143ad75-8b24-8002-9b43-456dedacd396', 'status_update', 'Status update', 'workflow', null),
  -- uuid_of('message_type', 'question')
  ('9143ad75-8b24-8002-87d4-21f6e4673b57', 'question', 'Question', 'clinical', null),
  -- uuid_of('message_type', 'instruction')
  ('9143ad75-8b24-8002-96a4-bdbc227d8fc3', 'instruction', 'Instruction', 'clinical', null),
  -- uuid_of('message_type', 'record_type_3')
  ('9143ad75-8b24-8002-818a-57d2e0ae430c', 'record_type_3', 'Record type 3', 'unknown', 3),
  -- uuid_of('message_type', 'record_type_5')
  ('9143ad75-8b24-8002-b963-b489a11a2063', 'record_type_5', 'Record type 5', 'unknown', 5),
  -- uuid_of('message_type', 'record_type_6')
  ('9143ad75-8b24-8002-baee-8aa6abfb4227', 'record_type_6', 'Record type 6', 'unknown', 6),
  -- uuid_of('message_type', 'record_type_8')
  ('9143ad75-8b24-8002-8cd3-6ccf02b02e22', 'record_type_8', 'Record type 8', 'unknown', 8)
on conflict (id) do nothing;
