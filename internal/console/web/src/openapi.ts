// Generated from openapi.json by make console. Do not edit.
export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        LogLevel: {
            /** @enum {unknown} */
            level: "debug" | "info" | "warn" | "error";
        };
        /**
         * @description Problem details (RFC 9457).
         * @example {
         *       "type": "urn:dmconnector:problem:rate_limited",
         *       "title": "Too many emails, try again later",
         *       "status": 429,
         *       "code": "rate_limited",
         *       "incident": "0192e1b2-7c4d-7e55-9f6a-3b8c1d2e4f50"
         *     }
         */
        Problem: {
            /** @description `urn:dmconnector:problem:` and the code. */
            type: string;
            title: string;
            status: number;
            code: components["schemas"]["ProblemCode"];
            /**
             * Format: uuid
             * @description Names the error in the log; of a message also its id.
             */
            incident: string;
            /** @description What is wrong, for admins. */
            message?: string;
            /** @description All that is wrong with the request, for admins. */
            errors?: components["schemas"]["Fault"][];
        };
        /** @description Codes are stable. New ones may be added. */
        ProblemCode: string & ("invalid_recipient" | "template_not_found" | "variable_missing" | "provider_busy" | "quota_exhausted" | "provider_rejected" | "recipient_rejected" | "content_rejected" | "provider_unavailable" | "outcome_unknown" | "rate_limited" | "overloaded" | "superseded" | "in_progress" | "idempotency_mismatch" | "connector_not_found" | "unavailable" | "internal" | "invalid_request" | "unauthorized" | "forbidden" | "not_found" | "method_not_allowed" | "invalid_config" | "factory_not_found" | "unknown_factory" | "connector_exists" | "connector_reserved" | "connector_read_only" | "precondition_failed" | "email_template_not_found" | "filter_required" | "message_not_found" | "payload_gone" | "not_retryable");
        Fault: {
            /** @description Where: a JSON pointer into the request (RFC 6901). */
            pointer: string;
            /** @description In the text that the pointer names. */
            line?: number;
            /** @description What is wrong, and what would be right. */
            detail: string;
        };
        /**
         * @description What became of a message: docs/state.md has more.
         * @enum {string}
         */
        State: "queued" | "sending" | "sent" | "failed" | "dead" | "expired" | "unknown";
        /**
         * @description What Logto sends a mail for.
         * @enum {string}
         */
        UsageType: "SignIn" | "Register" | "ForgotPassword" | "OrganizationInvitation" | "Generic" | "UserPermissionValidation" | "BindNewIdentifier" | "MfaVerification" | "BindMfa";
        /** @description `other` stands for any type that is not Logto's. */
        MessageType: components["schemas"]["UsageType"] | "other";
        /** @description Other members are not looked at. */
        SendRequest: {
            /** @description One mail address. */
            to: string;
            /**
             * @description What the mail is for. Logto sends these, and a connector may have templates for others.
             * @example SignIn
             * @example Register
             * @example ForgotPassword
             * @example OrganizationInvitation
             * @example Generic
             * @example UserPermissionValidation
             * @example BindNewIdentifier
             * @example MfaVerification
             * @example BindMfa
             */
            type: string;
            /** @description The template's variables, such as `code`; `locale` or `uiLocales` choose the language. */
            payload?: Record<string, unknown>;
            /** @description Of the client that asked for the code. */
            ip?: string | null;
        };
        Sent: {
            /**
             * Format: uuid
             * @description Names the message, as `incident` does in errors.
             */
            id: string;
            state: components["schemas"]["State"];
        };
        ConnectorDraft: {
            /**
             * @description The factory's id.
             * @constant
             */
            connectorId: "aliyun-direct-mail";
            /** @description Made up if there is none. */
            id?: string;
            config: components["schemas"]["ConnectorConfig"];
            /** @description Any, for whoever wrote it. */
            metadata?: Record<string, unknown> | null;
            syncProfile?: boolean;
            enableTokenStorage?: boolean;
        };
        ConnectorPatch: {
            config?: components["schemas"]["ConnectorConfig"];
            metadata?: Record<string, unknown> | null;
            syncProfile?: boolean;
            enableTokenStorage?: boolean;
        };
        /** @description A connector in Logto's shape, and what is beyond it under `dmconnector`. */
        Connector: {
            id: string;
            syncProfile: boolean;
            enableTokenStorage: boolean;
            /** @description Its JSON, with secrets as `***`. It is a ConnectorConfig, unless it has problems or warnings. */
            config: Record<string, unknown>;
            metadata: Record<string, unknown>;
            /**
             * @description The factory's id.
             * @constant
             */
            connectorId: "aliyun-direct-mail";
            target: string;
            name: components["schemas"]["Texts"];
            description: components["schemas"]["Texts"];
            logo: string;
            logoDark: string | null;
            /** @description Markdown. */
            readme: string;
            /** @description The form, as Logto's console has it. */
            formItems: components["schemas"]["FormItem"][];
            platform: string | null;
            /** @constant */
            type: "Email";
            isDemo: boolean;
            extraInfo: Record<string, unknown>;
            dmconnector: components["schemas"]["ConnectorDetails"];
        };
        /**
         * @example {
         *       "source": "state",
         *       "readOnly": false,
         *       "inForce": true,
         *       "version": 3,
         *       "problems": [],
         *       "warnings": []
         *     }
         */
        ConnectorDetails: {
            /** @enum {unknown} */
            source: "file" | "state";
            readOnly: boolean;
            /** @description Messages can be sent through it. */
            inForce: boolean;
            /** @description Not of one from a file. */
            version?: number;
            /** @description Why what was written last is not in force. */
            problems: components["schemas"]["Fault"][];
            warnings: components["schemas"]["Fault"][];
        };
        /** @description The content of config.schema.json takes this place. */
        ConnectorConfig: unknown;
        /** @description What a connector of Direct Mail is, in Logto's shape. */
        Factory: {
            /** @constant */
            id: "aliyun-direct-mail";
            target: string;
            name: components["schemas"]["Texts"];
            description: components["schemas"]["Texts"];
            logo: string;
            logoDark: string | null;
            /** @description Markdown. */
            readme: string;
            /** @description The form, as Logto's console has it. */
            formItems: components["schemas"]["FormItem"][];
            platform: string | null;
            /** @constant */
            type: "Email";
            isDemo: boolean;
        };
        FormItem: {
            key: string;
            type: string;
            label: string;
            selectItems?: {
                value: string;
                title: string;
            }[];
        } & {
            [key: string]: unknown;
        };
        /**
         * @description A text by language.
         * @example {
         *       "en": "Aliyun Direct Mail",
         *       "zh-CN": "阿里云邮件推送"
         *     }
         */
        Texts: {
            [key: string]: string;
        };
        Template: {
            usageType: string;
            languageTag?: string;
            subject: string;
            content: string;
            /** @enum {unknown} */
            contentType?: "text/html" | "text/plain";
            text?: string;
            replyTo?: string;
            sendFrom?: string;
            /** @enum {unknown} */
            escape?: "html" | "none";
        };
        Validation: {
            valid: boolean;
            errors: components["schemas"]["Fault"][];
            warnings: components["schemas"]["Fault"][];
        };
        PreviewRequest: {
            /** @description A usage type, such as SignIn. */
            type: string;
            /** @description What it lacks comes from a sample. */
            payload?: Record<string, unknown> | null;
            /**
             * @description `false` has nothing come from a sample.
             * @default true
             */
            sample: boolean;
            locale?: string;
            /** @description One mail address. */
            to?: string;
            /** @description Instead of the stored connector's. */
            config?: components["schemas"]["ConnectorConfig"];
        };
        Preview: {
            to: string;
            /** @description The sender address. */
            accountName: string;
            fromAlias?: string;
            replyAddress?: string;
            tagName?: string;
            subject: string;
            html?: string;
            text?: string;
            template: components["schemas"]["TemplateChoice"];
        };
        /** @description Which template was chosen, and why. */
        TemplateChoice: {
            /** @description The template's place in the connector's list, or -1. */
            template: number;
            /** @description The id of an email template. */
            emailTemplate?: string;
            usageType: string;
            languageTag?: string;
            /** @description Why it was chosen, a sentence each. */
            choice: string[] | null;
            /** @description Variables that the message does not carry. */
            missing?: string[];
            /** @description What was changed to keep the mail safe or acceptable. */
            notes?: string[];
        };
        Examination: {
            region?: string;
            /** @description Its host. */
            endpoint?: string;
            outcome: components["schemas"]["Finding"];
            steps: components["schemas"]["ExaminationStep"][];
        };
        ExaminationStep: {
            /** @enum {unknown} */
            check: "config" | "name" | "connection" | "clock" | "key" | "permission" | "account" | "sender" | "domain" | "reply";
            status: components["schemas"]["Finding"];
            /** @description Names what was found, for programs and translations. */
            finding: string;
            /** @description What belongs to the finding. */
            values?: {
                [key: string]: string;
            };
            /** @description What was found, in plain words. */
            detail: string;
            /** @description What to do about it. */
            cure?: string;
            /** @description Direct Mail's, where it refused a call. */
            code?: string;
            /** @description Names that call to Aliyun's support. */
            requestId?: string;
        };
        /**
         * @description `problem` keeps mail from being sent; with `warning` it goes out, but not as it should; `skipped` could not be looked at.
         * @enum {string}
         */
        Finding: "good" | "skipped" | "warning" | "problem";
        TestRequest: {
            /** @description One mail address. */
            email: string;
            /** @description A usage type; Generic if there is none. */
            type?: string;
            locale?: string;
            /** @description Besides the code 000000. */
            payload?: Record<string, unknown> | null;
            /** @description Instead of the stored connector's. */
            config?: components["schemas"]["ConnectorConfig"];
        };
        /** @description An email template in Logto's shape. */
        EmailTemplate: {
            /** @constant */
            tenantId: "default";
            id: string;
            languageTag: string;
            templateType: string;
            details: components["schemas"]["EmailTemplateDetails"];
            /** @description Milliseconds since 1970. */
            createdAt: number;
        };
        EmailTemplateDraft: {
            languageTag: string;
            templateType: components["schemas"]["UsageType"];
            details: components["schemas"]["EmailTemplateDetails"];
        };
        EmailTemplateDetails: {
            subject: string;
            content: string;
            /** @enum {unknown} */
            contentType?: "text/html" | "text/plain";
            replyTo?: string;
            sendFrom?: string;
        };
        EmailTemplateDetailsPatch: {
            subject?: string;
            content?: string;
            /** @enum {unknown} */
            contentType?: "text/html" | "text/plain";
            replyTo?: string;
            sendFrom?: string;
        };
        /** @description A message without its code, its body and its address. */
        Message: {
            /**
             * Format: uuid
             * @description The `incident` of an error.
             */
            id: string;
            connector: string;
            type: components["schemas"]["MessageType"];
            /**
             * @description `direct`: its caller waited. `queued`: it was told before that the mail was safe. `test`: for an admin.
             * @enum {unknown}
             */
            mode: "direct" | "queued" | "test";
            state: components["schemas"]["State"];
            /** @description Of one that was not sent, or not certainly. */
            code?: components["schemas"]["ProblemCode"];
            /** @description Masked. */
            recipient: string;
            /** @description How often it was taken up. */
            attempts: number;
            /** Format: date-time */
            createdAt: string;
            /** Format: date-time */
            updatedAt: string;
            /** Format: date-time */
            expiresAt: string;
            /**
             * Format: date-time
             * @description When a queued one is sent.
             */
            dueAt?: string;
            /** @description An admin may have it sent again. */
            retryable: boolean;
            /** @description Not in lists. */
            steps?: components["schemas"]["Steps"];
        };
        MessagePage: {
            messages: components["schemas"]["Message"][];
            /**
             * Format: uuid
             * @description Goes into `before` for the next page, if there is one.
             */
            next?: string;
        };
        MessageSearch: {
            /** @description One mail address. */
            address?: string;
            state?: components["schemas"]["State"] | components["schemas"]["State"][];
            type?: components["schemas"]["MessageType"];
            connector?: string;
            /** @description A whole id, or its last 8 characters. */
            incident?: string;
            /** Format: date-time */
            since?: string;
            /** Format: date-time */
            until?: string;
            /** Format: uuid */
            before?: string;
            /** @default 50 */
            limit: number;
        };
        Statistics: {
            /** Format: date-time */
            since: string;
            /** Format: date-time */
            until: string;
            /** @description Seconds. */
            step: number;
            series: {
                connector: string;
                type: components["schemas"]["MessageType"];
                state: components["schemas"]["State"];
                /** @description One for each step. */
                counts: number[];
            }[];
            /** @description For each step, how long sent messages took, in milliseconds; null if there are none. Quantiles are right within 10 %. */
            latency: ({
                p50: number;
                p95: number;
                max: number;
            } | null)[];
        };
        Change: {
            /** Format: uuid */
            id: string;
            /** Format: date-time */
            at: string;
            /** @description Whose token it was. */
            actor: string;
            /** @description Such as `connector.update`. */
            action: string;
            /** @description The id of what was changed. */
            subject: string;
            detail?: {
                [key: string]: unknown;
            } | null;
        };
        ChangePage: {
            changes: components["schemas"]["Change"][];
            /**
             * Format: uuid
             * @description Goes into `before` for the next page, if there is one.
             */
            next?: string;
        };
        Session: {
            /** @description Whose token it was. */
            actor: string;
            /** Format: date-time */
            expiresAt: string;
            /** @description There is an inbox. */
            sandbox: boolean;
            /** @description The program's. */
            version: string;
            /** @description The kind of its state. */
            state: string;
        };
        /** @description A mail that the simulated Direct Mail accepted. */
        SandboxMail: {
            id: string;
            /** Format: date-time */
            receivedAt: string;
            to: string;
            from: string;
            fromAlias: string;
            replyAddress: string;
            tagName: string;
            subject: string;
            html: string;
            text: string;
            /** @description The verification code, if there is one. */
            code: string;
            envId: string;
            requestId: string;
            accessKeyId: string;
        };
        Readiness: {
            /** @constant */
            status: "ready";
            /** @description In force. */
            connectors: number;
            /** @description Connectors and files whose last version is not in force. */
            problems: number;
            /** @description For admins. */
            details?: {
                id: string;
                /** @description Of its file. */
                path?: string;
                problems: components["schemas"]["Fault"][];
            }[];
        };
        /** @description Problem details (RFC 9457) of a failed send, at most 300 bytes. They may be shown to anyone; the log and the message have more, under the incident. */
        PublicProblem: {
            /** @description `urn:dmconnector:problem:` and the code. */
            type: string;
            title: string;
            status: number;
            code: components["schemas"]["ProblemCode"];
            /**
             * Format: uuid
             * @description Names the error in the log; of a message also its id.
             */
            incident: string;
        };
        /**
         * @description One sentence for the person at the sign-in page, and the last 8 characters of the incident in brackets.
         * @example The email could not be sent. Try again in a minute. [1d2e4f50]
         */
        FailureText: string;
        /** @description What happened to a message, step by step. */
        Steps: {
            /** @description Why it was not sent, in plain words. */
            detail?: string;
            /** @description The limits that it had to keep. */
            limits?: {
                /** @enum {unknown} */
                limit: "recipient" | "ip" | "connector" | "tester";
                /** @description Such as `10 in 10m0s`. */
                rate: string;
                usedUp?: boolean;
            }[];
            template?: components["schemas"]["TemplateChoice"];
            /** @description The calls of Direct Mail. */
            attempts?: {
                /** Format: date-time */
                at: string;
                milliseconds: number;
                error?: string;
            }[];
            receipt?: {
                /** @description Names the mail in Direct Mail's events. */
                envId: string;
                /** @description Names the call to Aliyun's support. */
                requestId: string;
            };
        };
        /** @description What happened to a test mail, step by step. */
        TestTrace: {
            /**
             * Format: uuid
             * @description The `incident` of an error.
             */
            id: string;
            state: components["schemas"]["State"];
            /** @description Masked. */
            recipient: string;
            /** @description Why it was not sent, in plain words. */
            detail?: string;
            /** @description The limits that it had to keep. */
            limits?: {
                /** @enum {unknown} */
                limit: "recipient" | "ip" | "connector" | "tester";
                /** @description Such as `10 in 10m0s`. */
                rate: string;
                usedUp?: boolean;
            }[];
            template?: components["schemas"]["TemplateChoice"];
            /** @description The calls of Direct Mail. */
            attempts?: {
                /** Format: date-time */
                at: string;
                milliseconds: number;
                error?: string;
                /** @description It has not ended yet. */
                pending?: boolean;
            }[];
            receipt?: {
                /** @description Names the mail in Direct Mail's events. */
                envId: string;
                /** @description Names the call to Aliyun's support. */
                requestId: string;
            };
            /** @description If it was not sent. */
            error?: components["schemas"]["Problem"];
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type LogLevel = components['schemas']['LogLevel'];
export type Problem = components['schemas']['Problem'];
export type ProblemCode = components['schemas']['ProblemCode'];
export type Fault = components['schemas']['Fault'];
export type State = components['schemas']['State'];
export type UsageType = components['schemas']['UsageType'];
export type MessageType = components['schemas']['MessageType'];
export type SendRequest = components['schemas']['SendRequest'];
export type Sent = components['schemas']['Sent'];
export type ConnectorDraft = components['schemas']['ConnectorDraft'];
export type ConnectorPatch = components['schemas']['ConnectorPatch'];
export type Connector = components['schemas']['Connector'];
export type ConnectorDetails = components['schemas']['ConnectorDetails'];
export type ConnectorConfig = components['schemas']['ConnectorConfig'];
export type Factory = components['schemas']['Factory'];
export type FormItem = components['schemas']['FormItem'];
export type Texts = components['schemas']['Texts'];
export type Template = components['schemas']['Template'];
export type Validation = components['schemas']['Validation'];
export type PreviewRequest = components['schemas']['PreviewRequest'];
export type Preview = components['schemas']['Preview'];
export type TemplateChoice = components['schemas']['TemplateChoice'];
export type Examination = components['schemas']['Examination'];
export type ExaminationStep = components['schemas']['ExaminationStep'];
export type Finding = components['schemas']['Finding'];
export type TestRequest = components['schemas']['TestRequest'];
export type EmailTemplate = components['schemas']['EmailTemplate'];
export type EmailTemplateDraft = components['schemas']['EmailTemplateDraft'];
export type EmailTemplateDetails = components['schemas']['EmailTemplateDetails'];
export type EmailTemplateDetailsPatch = components['schemas']['EmailTemplateDetailsPatch'];
export type Message = components['schemas']['Message'];
export type MessagePage = components['schemas']['MessagePage'];
export type MessageSearch = components['schemas']['MessageSearch'];
export type Statistics = components['schemas']['Statistics'];
export type Change = components['schemas']['Change'];
export type ChangePage = components['schemas']['ChangePage'];
export type Session = components['schemas']['Session'];
export type SandboxMail = components['schemas']['SandboxMail'];
export type Readiness = components['schemas']['Readiness'];
export type PublicProblem = components['schemas']['PublicProblem'];
export type FailureText = components['schemas']['FailureText'];
export type Steps = components['schemas']['Steps'];
export type TestTrace = components['schemas']['TestTrace'];
export type $defs = Record<string, never>;
type FlattenedDeepRequired<T> = {
    [K in keyof T]-?: FlattenedDeepRequired<T[K] extends unknown[] | undefined | null ? Extract<T[K], unknown[]>[number] : T[K]>;
};
type ReadonlyArray<T> = [
    Exclude<T, undefined>
] extends [
    unknown[]
] ? Readonly<Exclude<T, undefined>> : Readonly<Exclude<T, undefined>[]>;
export const logLevelLevelValues: ReadonlyArray<FlattenedDeepRequired<components>["schemas"]["LogLevel"]["level"]> = ["debug", "info", "warn", "error"];
export const stateValues: ReadonlyArray<FlattenedDeepRequired<components>["schemas"]["State"]> = ["queued", "sending", "sent", "failed", "dead", "expired", "unknown"];
export const usageTypeValues: ReadonlyArray<FlattenedDeepRequired<components>["schemas"]["UsageType"]> = ["SignIn", "Register", "ForgotPassword", "OrganizationInvitation", "Generic", "UserPermissionValidation", "BindNewIdentifier", "MfaVerification", "BindMfa"];
export const connectorDetailsSourceValues: ReadonlyArray<FlattenedDeepRequired<components>["schemas"]["ConnectorDetails"]["source"]> = ["file", "state"];
export const templateContentTypeValues: ReadonlyArray<FlattenedDeepRequired<components>["schemas"]["Template"]["contentType"]> = ["text/html", "text/plain"];
export const templateEscapeValues: ReadonlyArray<FlattenedDeepRequired<components>["schemas"]["Template"]["escape"]> = ["html", "none"];
export const examinationStepCheckValues: ReadonlyArray<FlattenedDeepRequired<components>["schemas"]["ExaminationStep"]["check"]> = ["config", "name", "connection", "clock", "key", "permission", "account", "sender", "domain", "reply"];
export const findingValues: ReadonlyArray<FlattenedDeepRequired<components>["schemas"]["Finding"]> = ["good", "skipped", "warning", "problem"];
export const emailTemplateDetailsContentTypeValues: ReadonlyArray<FlattenedDeepRequired<components>["schemas"]["EmailTemplateDetails"]["contentType"]> = ["text/html", "text/plain"];
export const emailTemplateDetailsPatchContentTypeValues: ReadonlyArray<FlattenedDeepRequired<components>["schemas"]["EmailTemplateDetailsPatch"]["contentType"]> = ["text/html", "text/plain"];
export const messageModeValues: ReadonlyArray<FlattenedDeepRequired<components>["schemas"]["Message"]["mode"]> = ["direct", "queued", "test"];
export const stepsLimitsLimitValues: ReadonlyArray<FlattenedDeepRequired<components>["schemas"]["Steps"]["limits"]["limit"]> = ["recipient", "ip", "connector", "tester"];
export const testTraceLimitsLimitValues: ReadonlyArray<FlattenedDeepRequired<components>["schemas"]["TestTrace"]["limits"]["limit"]> = ["recipient", "ip", "connector", "tester"];
export type operations = Record<string, never>;
