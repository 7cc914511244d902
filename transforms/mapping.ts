import type { Mapping } from '../core/entity.ts';
import { contentTypes } from './content-types.ts';
import { doctors } from './doctors.ts';
import { instructionStates } from './instruction-states.ts';
import { jaws } from './jaws.ts';
import { messages } from './messages.ts';
import { offices } from './offices.ts';
import { orderStateHistory } from './order-state-history.ts';
import { orderStatusChanges } from './order-status-changes.ts';
import { orderTypes } from './order-types.ts';
import { orders } from './orders.ts';
import { patientCases } from './patient-cases.ts';
import { patients } from './patients.ts';
import { payments } from './payments.ts';
import { profiles } from './profiles.ts';
import { projectCases } from './project-cases.ts';
import { projects } from './projects.ts';
import { tasks } from './tasks.ts';
import { treatmentPlans } from './treatment-plans.ts';
import { workflowTemplates } from './workflow-templates.ts';

/** The orthodontic mapping: a legacy Django database and the unified target schema. */
const mapping: Mapping = {
  name: 'orthodontics',
  migrations: '../supabase/migrations',
  controlViews: '../supabase/control-views.sql',
  // Parents first, as far as there is an order: jaws and orders name each other.
  entities: [
    contentTypes,
    offices,
    profiles,
    doctors,
    patients,
    orderTypes,
    patientCases,
    projectCases,
    jaws,
    orders,
    instructionStates,
    orderStateHistory,
    orderStatusChanges,
    projects,
    treatmentPlans,
    workflowTemplates,
    tasks,
    messages,
    payments,
  ],
};

export default mapping;
