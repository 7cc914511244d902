create table public.order_statuses (
  id uuid primary key,
  code text not null unique,
  label text not null
);
-- Seeded here, referred to by ref('order_status', 'paid').
insert into public.order_statuses (id, code, label)
select tandem.uuid_of('order_status', code), code, label
from (values
  ('open', 'Open'), ('paid', 'Paid'), ('sent', 'On its way'), ('unknown', 'Unknown')
) as status (code, label);

create table public.customers (
  id uuid primary key,
  email text not null,
  name text not null,
  referrer_id uuid references public.customers deferrable initially deferred,
  has_ordered boolean not null,
  loyalty_points integer not null default 0, -- belongs to the new system: no entity writes it
  deleted_at timestamptz
);

create table public.categories (
  id uuid primary key,
  name text not null,
  deleted_at timestamptz
);

create table public.products (
  id uuid primary key,
  sku text not null,
  title text not null,
  price_cents bigint not null,
  is_available boolean not null,
  deleted_at timestamptz
);

-- Without deleted_at: a product that leaves a category leaves no row.
create table public.product_categories (
  id uuid primary key,
  product_id uuid not null references public.products deferrable initially deferred,
  category_id uuid not null references public.categories deferrable initially deferred
);

create table public.orders (
  id uuid primary key,
  number text not null,
  customer_id uuid not null references public.customers deferrable initially deferred,
  status_id uuid not null references public.order_statuses,
  legacy_status smallint not null,
  total_cents bigint not null,
  placed_at timestamptz not null,
  deleted_at timestamptz
);
create index orders_customer on public.orders (customer_id);

create table public.order_lines (
  id uuid primary key,
  order_id uuid not null references public.orders deferrable initially deferred,
  product_id uuid references public.products deferrable initially deferred,
  quantity integer not null,
  unit_price_cents bigint not null,
  deleted_at timestamptz
);
create index order_lines_order on public.order_lines (order_id);

create table public.notes (
  id uuid primary key,
  customer_id uuid references public.customers deferrable initially deferred,
  order_id uuid references public.orders deferrable initially deferred,
  body text not null,
  written_at timestamptz not null,
  deleted_at timestamptz
);

-- For mapping-with-history.ts: the legacy shop has no such table.
create table public.order_status_changes (
  id uuid primary key,
  order_id uuid not null references public.orders deferrable initially deferred,
  from_status_id uuid not null references public.order_statuses,
  to_status_id uuid not null references public.order_statuses,
  changed_at timestamptz not null
);
