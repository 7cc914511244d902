create type public.invoice_status as enum ('draft', 'sent', 'paid', 'unknown');

create table public.customers (
  id uuid primary key,
  name text not null,
  country text,
  has_invoices boolean not null,
  account_manager text, -- belongs to the new system: no entity writes it
  deleted_at timestamptz
);

create table public.invoices (
  id uuid primary key,
  number text not null,
  customer_id uuid not null references public.customers deferrable initially deferred,
  previous_invoice_id uuid references public.invoices deferrable initially deferred,
  status public.invoice_status not null,
  status_code smallint not null,
  issued_on date,
  total numeric(14, 2) not null,
  deleted_at timestamptz
);
create index invoices_customer on public.invoices (customer_id);

create table public.invoice_lines (
  id uuid primary key,
  invoice_id uuid not null references public.invoices deferrable initially deferred,
  position integer not null,
  description text not null,
  amount numeric(14, 2) not null,
  deleted_at timestamptz
);
create index invoice_lines_invoice on public.invoice_lines (invoice_id);

create table public.invoice_status_changes (
  id uuid primary key,
  invoice_id uuid not null references public.invoices deferrable initially deferred,
  from_status public.invoice_status not null,
  to_status public.invoice_status not null,
  changed_at timestamptz not null
);
