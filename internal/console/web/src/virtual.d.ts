declare module "virtual:flows" {
  /** What a real Logto sent in one recorded flow. */
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
  /** config.schema.json. */
  const schema: Record<string, unknown>;
  export default schema;
}

declare module "*.css";
