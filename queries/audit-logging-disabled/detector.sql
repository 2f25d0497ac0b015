/*
title     = "Audit logging disabled or narrowed"
severity  = "critical"
attack    = ["T1562.008", "T1562.001"]
about     = "A trail, flow log, query log, recorder or detector was stopped, deleted or narrowed, an audit log group or its bucket cut short, or the account taken out of its organization. Refused attempts count; names that do not exist do not."
noise     = "Tearing down a test environment; a second trail that is meant for data events only; moving to an organization-wide trail."
response  = "Switch the logging on again first. Then find out who did it and what they did in the minutes before and after, from another trail or the organization's copy if this one has a gap."
key       = ["account_id", "principal"]
suppress  = "15 minutes"
*/
SELECT event_name, principal, session_name, source_ip, account_id, region, event_time, user_agent, error_code,
       coalesce(request ->> 'name', request ->> 'trailName', request ->> 'eventDataStore', request ->> 'detectorId',
                request ->> 'configurationRecorderName', request ->> 'deliveryChannelName', request ->> 'resolverQueryLogConfigId',
                request ->> 'logGroupName', request ->> 'bucketName', request ->> 'resourceArn', request ->> 'DeleteFlowLogsRequest') AS target
FROM cloudtrail
WHERE (error_code IS NULL OR error_code LIKE '%AccessDenied%' OR error_code LIKE '%UnauthorizedOperation%')
  AND (event_name IN ('StopLogging', 'DeleteTrail', 'DeleteEventDataStore', 'StopEventDataStoreIngestion',
                      'DeleteDetector', 'StopMonitoringMembers', 'DisassociateFromMasterAccount',
                      'DisassociateFromAdministratorAccount', 'DeletePublishingDestination', 'StopConfigurationRecorder',
                      'DeleteConfigurationRecorder', 'DeleteDeliveryChannel', 'DisableSecurityHub', 'DisableMacie',
                      'DeleteLoggingConfiguration', 'DeleteModelInvocationLoggingConfiguration', 'LeaveOrganization')
       -- A stack that takes its own network down removes these along with it.
       OR (event_name IN ('DeleteFlowLogs', 'DeleteResolverQueryLogConfig', 'DisassociateResolverQueryLogConfig') AND invoked_by IS NULL)
       OR (event_name = 'UpdateTrail'
           AND (request ->> 'isMultiRegionTrail' = 'false' OR request ->> 'includeGlobalServiceEvents' = 'false'))
       OR (event_name = 'PutEventSelectors'
           AND ((request ->> 'eventSelectors') ~ '"includeManagementEvents":false|"readWriteType":"(Read|Write)Only"'
                OR (request ->> 'advancedEventSelectors') NOT LIKE '%"Management"%'))
       OR (event_name = 'UpdateDetector' AND request ->> 'enable' = 'false')
       OR (event_name IN ('DeleteLogGroup', 'DeleteLogStream', 'DeleteSubscriptionFilter') AND invoked_by IS NULL
           AND (request ->> 'logGroupName') ~* 'cloudtrail|flow-?logs?|audit|guardduty|waf-logs')
       OR (event_name = 'PutRetentionPolicy' AND request ->> 'retentionInDays' IN ('1', '3')
           AND (request ->> 'logGroupName') ~* 'cloudtrail|flow-?logs?|audit|guardduty|waf-logs')
       OR (event_name IN ('PutBucketLifecycle', 'PutBucketLifecycleConfiguration') AND (request ->> 'bucketName') ~* 'trail|audit|logs?'
           AND (request ->> 'LifecycleConfiguration') ~ '"Expiration":\{[^{}]*"Days":[1-7][,}]'))
