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
            /** @description `urn:dmconnector:problem:` followed by the code. */
            type: string;
            title: string;
            status: number;
            code: components["schemas"]["ProblemCode"];
            /**
             * Format: uuid
             * @description Id of the error in the log. If there is a message, it is the message's id.
             */
            incident: string;
            /** @description What is wrong and what to do, for admins. */
            message?: string;
            /** @description Everything that is wrong with the request, for admins. */
            errors?: components["schemas"]["Fault"][];
        };
        /** @description Codes are stable. New ones may be added. */
        ProblemCode: string & ("invalid_recipient" | "template_not_found" | "variable_missing" | "provider_busy" | "quota_exhausted" | "provider_rejected" | "recipient_rejected" | "content_rejected" | "provider_unavailable" | "outcome_unknown" | "rate_limited" | "overloaded" | "superseded" | "in_progress" | "idempotency_mismatch" | "connector_not_found" | "unavailable" | "internal" | "invalid_request" | "unauthorized" | "forbidden" | "not_found" | "method_not_allowed" | "invalid_config" | "factory_not_found" | "unknown_factory" | "connector_exists" | "connector_reserved" | "connector_read_only" | "precondition_failed" | "email_template_not_found" | "filter_required" | "message_not_found" | "payload_gone" | "not_retryable");
        Fault: {
            /** @description Place in the request: a JSON pointer (RFC 6901). */
            pointer: string;
            /** @description Line in the text at the pointer. */
            line?: number;
            /** @description What is wrong and what would be right. */
            detail: string;
        };
        /**
         * @description State of a message; docs/state.md explains them.
         * @enum {string}
         */
        State: "queued" | "sending" | "sent" | "failed" | "dead" | "expired" | "unknown";
        /**
         * @description What Logto sends an email for.
         * @enum {string}
         */
        UsageType: "SignIn" | "Register" | "ForgotPassword" | "OrganizationInvitation" | "Generic" | "UserPermissionValidation" | "BindNewIdentifier" | "MfaVerification" | "BindMfa";
        /** @description `other` is any type that is not one of Logto's. */
        MessageType: components["schemas"]["UsageType"] | "other";
        /** @description Other members are ignored. */
        SendRequest: {
            /** @description One email address. */
            to: string;
            /**
             * @description What the email is for. These are Logto's; a connector may have templates for others.
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
            /** @description IP address of the client that requested the code. */
            ip?: string | null;
        };
        Sent: {
            /**
             * Format: uuid
             * @description Id of the message. In errors it is the `incident`.
             */
            id: string;
            state: components["schemas"]["State"];
        };
        ConnectorDraft: {
            /**
             * @description Id of the factory.
             * @constant
             */
            connectorId: "aliyun-direct-mail";
            /** @description Generated if missing. */
            id?: string;
            config: components["schemas"]["ConnectorConfig"];
            /** @description Free for the caller's use. */
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
        /** @description A connector in Logto's shape. `dmconnector` has what Logto has no member for. */
        Connector: {
            id: string;
            syncProfile: boolean;
            enableTokenStorage: boolean;
            /** @description The connector's JSON with secrets as `***`. It is a ConnectorConfig, unless it has problems or warnings. */
            config: Record<string, unknown>;
            metadata: Record<string, unknown>;
            /**
             * @description Id of the factory.
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
            /** @description The fields of the form in Logto's console. */
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
         *       "active": true,
         *       "version": 3,
         *       "problems": [],
         *       "warnings": []
         *     }
         */
        ConnectorDetails: {
            /** @enum {unknown} */
            source: "file" | "state";
            readOnly: boolean;
            /** @description Messages can be sent through the connector. */
            active: boolean;
            /** @description Not for connectors from files. */
            version?: number;
            /** @description Why the newest version is not active. */
            problems: components["schemas"]["Fault"][];
            warnings: components["schemas"]["Fault"][];
        };
        /** @description Replaced by config.schema.json. */
        ConnectorConfig: unknown;
        /** @description A connector factory in Logto's shape. */
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
            /** @description The fields of the form in Logto's console. */
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
         * @description Texts by language.
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
            /** @description Variables that are missing come from a sample. */
            payload?: Record<string, unknown> | null;
            /**
             * @description `false` turns the sample off.
             * @default true
             */
            sample: boolean;
            locale?: string;
            /** @description One email address. */
            to?: string;
            /** @description Used instead of the stored config. */
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
        /** @description The chosen template, and why it was chosen. */
        TemplateChoice: {
            /** @description Index in the connector's templates, or -1. */
            template: number;
            /** @description Id of the email template. */
            emailTemplate?: string;
            usageType: string;
            languageTag?: string;
            /** @description Reasons for the choice, one sentence each. */
            choice: string[] | null;
            /** @description Variables that the message does not contain. */
            missing?: string[];
            /** @description Changes that keep the email safe or acceptable. */
            notes?: string[];
        };
        Examination: {
            region?: string;
            /** @description Host of the endpoint. */
            endpoint?: string;
            outcome: components["schemas"]["Finding"];
            steps: components["schemas"]["ExaminationStep"][];
        };
        ExaminationStep: {
            /** @enum {unknown} */
            check: "config" | "name" | "connection" | "clock" | "key" | "permission" | "account" | "sender" | "domain" | "reply";
            status: components["schemas"]["Finding"];
            /** @description Identifies the finding, for programs and translations. */
            finding: string;
            /** @description Values of the finding. */
            values?: {
                [key: string]: string;
            };
            /** @description The finding in words. */
            detail: string;
            /** @description What to do. */
            cure?: string;
            /** @description Direct Mail's error code, if it rejected the request. */
            code?: string;
            /** @description Identifies the request for Aliyun's support. */
            requestId?: string;
        };
        /**
         * @description `problem`: no email can be sent. `warning`: emails are sent, but something is wrong. `skipped`: could not be checked.
         * @enum {string}
         */
        Finding: "good" | "skipped" | "warning" | "problem";
        TestRequest: {
            /** @description One email address. */
            email: string;
            /** @description A usage type. The default is Generic. */
            type?: string;
            locale?: string;
            /** @description Added to the code 000000. */
            payload?: Record<string, unknown> | null;
            /** @description Used instead of the stored config. */
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
            /** @description Milliseconds since 1970-01-01. */
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
        /** @description A message. Never includes its code, body or full address. */
        Message: {
            /**
             * Format: uuid
             * @description The `incident` in errors.
             */
            id: string;
            connector: string;
            type: components["schemas"]["MessageType"];
            /**
             * @description `direct`: the caller waits for the outcome. `queued`: the caller got 202. `test`: sent by an admin.
             * @enum {unknown}
             */
            mode: "direct" | "queued" | "test";
            state: components["schemas"]["State"];
            /** @description Why the message was not sent, or may not have been sent. */
            code?: components["schemas"]["ProblemCode"];
            /** @description The masked address. */
            recipient: string;
            /** @description How often a worker claimed the message. */
            attempts: number;
            /** Format: date-time */
            createdAt: string;
            /** Format: date-time */
            updatedAt: string;
            /** Format: date-time */
            expiresAt: string;
            /**
             * Format: date-time
             * @description When a queued message is due.
             */
            dueAt?: string;
            /** @description An admin can retry the message. */
            retryable: boolean;
            /** @description Not included in lists. */
            steps?: components["schemas"]["Steps"];
        };
        MessagePage: {
            messages: components["schemas"]["Message"][];
            /**
             * Format: uuid
             * @description Value of `before` for the next page, if there is one.
             */
            next?: string;
        };
        MessageSearch: {
            /** @description One email address. */
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
            /** @description Length in seconds. */
            step: number;
            series: {
                connector: string;
                type: components["schemas"]["MessageType"];
                state: components["schemas"]["State"];
                /** @description One number for each step. */
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
            /** @description The owner of the token. */
            actor: string;
            /** @description Such as `connector.update`. */
            action: string;
            /** @description Id of the changed object. */
            subject: string;
            detail?: {
                [key: string]: unknown;
            } | null;
        };
        ChangePage: {
            changes: components["schemas"]["Change"][];
            /**
             * Format: uuid
             * @description Value of `before` for the next page, if there is one.
             */
            next?: string;
        };
        Session: {
            /** @description The owner of the token. */
            actor: string;
            /**
             * Format: date-time
             * @description When the session ends if it is not used. A use moves it to 2 h later, but at most to 12 h after the sign-in.
             */
            expiresAt: string;
            /** @description The sandbox is running, so there is an inbox. */
            sandbox: boolean;
            /** @description Version of the program. */
            version: string;
            /** @description Kind of the state. */
            state: string;
        };
        /** @description An email that the sandbox accepted. */
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
            /** @description The verification code, if the email has one. */
            code: string;
            envId: string;
            requestId: string;
            accessKeyId: string;
        };
        Readiness: {
            /** @constant */
            status: "ready";
            /** @description Number of active connectors. */
            connectors: number;
            /** @description Number of connectors and files whose newest version is not active. */
            problems: number;
            /** @description Only for admins. */
            details?: {
                id: string;
                /** @description Path of the file. */
                path?: string;
                problems: components["schemas"]["Fault"][];
            }[];
        };
        /** @description Problem details (RFC 9457) of a failed send, at most 300 bytes. They may be shown to anyone; the log and the message have more, under the incident. */
        PublicProblem: {
            /** @description `urn:dmconnector:problem:` followed by the code. */
            type: string;
            title: string;
            status: number;
            code: components["schemas"]["ProblemCode"];
            /**
             * Format: uuid
             * @description Id of the error in the log. If there is a message, it is the message's id.
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
            /** @description Why the message was not sent, for admins. */
            detail?: string;
            /** @description The rate limits that applied. */
            limits?: {
                /** @enum {unknown} */
                limit: "recipient" | "ip" | "connector" | "tester";
                /** @description Such as `10 in 10m0s`. */
                rate: string;
                usedUp?: boolean;
            }[];
            template?: components["schemas"]["TemplateChoice"];
            /** @description The requests to Direct Mail. */
            attempts?: {
                /** Format: date-time */
                at: string;
                milliseconds: number;
                error?: string;
            }[];
            receipt?: {
                /** @description Identifies the email in Direct Mail's events. */
                envId: string;
                /** @description Identifies the request for Aliyun's support. */
                requestId: string;
            };
        };
        /** @description What happened to a test mail, step by step. */
        TestTrace: {
            /**
             * Format: uuid
             * @description The `incident` in errors.
             */
            id: string;
            state: components["schemas"]["State"];
            /** @description The masked address. */
            recipient: string;
            /** @description Why the message was not sent, for admins. */
            detail?: string;
            /** @description The rate limits that applied. */
            limits?: {
                /** @enum {unknown} */
                limit: "recipient" | "ip" | "connector" | "tester";
                /** @description Such as `10 in 10m0s`. */
                rate: string;
                usedUp?: boolean;
            }[];
            template?: components["schemas"]["TemplateChoice"];
            /** @description The requests to Direct Mail. */
            attempts?: {
                /** Format: date-time */
                at: string;
                milliseconds: number;
                error?: string;
                /** @description The attempt has not ended. */
                pending?: boolean;
            }[];
            receipt?: {
                /** @description Identifies the email in Direct Mail's events. */
                envId: string;
                /** @description Identifies the request for Aliyun's support. */
                requestId: string;
            };
            /** @description Why the email was not sent. */
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
