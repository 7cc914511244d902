import * as money from './money.ts';
import * as oddities from './oddities.ts';
import * as orders from './orders.ts';
import * as organisation from './organisation.ts';
import * as people from './people.ts';
import * as records from './records.ts';
import type { Session } from './session.ts';
import { checkTask, deleteTask } from './tasks.ts';

/** One thing that somebody does in the legacy application: one transaction, or a few. */
type Activity = (session: Session) => Promise<void>;

/** How often each happens, relative to the others. A day has far more checked tasks than orders. */
export const ACTIVITIES: readonly (readonly [weight: number, activity: Activity])[] = [
  [26, checkTask],
  [11, people.logIn],
  [11, records.addRecord],
  [9, orders.changeStatus],
  [5, orders.addState],
  [5, records.addFile],
  [4, records.addComment],
  [4, orders.addOrder],
  [3, orders.editOrder],
  [3, orders.editProject],
  [3, money.pay],
  [2, money.editPayment],
  [2, people.addPatient],
  [2, people.editPatient],
  [1.5, records.editRecord],
  [1.5, orders.addPlanToOrder],
  [1, people.addPatientLater],
  [1, people.addPatientChildFirst],
  [1, people.movePatient],
  [1, people.changeGroups],
  [1, organisation.editOffice],
  [1, organisation.useDiscount],
  [1, oddities.saveUnchanged],
  [1, oddities.touchLargeRow],
  [0.8, organisation.saveOfficeDoctors],
  [0.7, oddities.abandonPatient],
  [0.7, oddities.shortLived],
  [0.6, orders.toggleDeleted],
  [0.6, orders.addLateState],
  [0.5, orders.deleteOrder],
  [0.5, orders.removeProject],
  [0.5, records.addRecordBeforeTarget],
  [0.5, records.addNote],
  [0.5, deleteTask],
  [0.4, oddities.restore],
  [0.4, people.deletePatient],
  [0.3, organisation.renameTemplate],
  [0.3, money.refund],
  [0.2, organisation.renameCourse],
  [0.2, organisation.deleteOffer],
  [0.1, people.addContentType],
];
