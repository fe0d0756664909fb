declare module "virtual:flows" {
  /** One recorded flow of a real Logto: what it sends. */
  export interface Flow {
    id: string;
    about: string;
    type: string;
    payload: Record<string, unknown>;
  }
  const flows: Flow[];
  export default flows;
}

declare module "virtual:schema" {
  /** config.schema.json, as the service itself has it. */
  const schema: Record<string, unknown>;
  export default schema;
}

declare module "*.css";
