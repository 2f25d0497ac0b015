//! What happens on any day and could be taken for an attack: sign-ins, deployments, scaling, backups, repairs.
//! They come by simulated time, not by rate, so that a fast run has no more of them than a day has.

use std::sync::Arc;

use crate::estate::{Class, Voice, agents};
use crate::plan::Plan;

/// One kind of story.
pub(crate) struct Story {
    /// Mean time between two, seconds.
    pub every: i64,
    pub tell: fn(&mut Plan),
}

/// All kinds.
pub(crate) const STORIES: &[Story] = &[
    Story { every: 45, tell: federated_sign_in },
    Story { every: 60, tell: sign_in },
    Story { every: 60, tell: deployment },
    Story { every: 90, tell: scaling },
    Story { every: 300, tell: backup },
    Story { every: 300, tell: new_function },
    Story { every: 400, tell: security_group },
    Story { every: 600, tell: key_rotation },
    Story { every: 600, tell: bucket_policy },
    Story { every: 720, tell: operator_session },
    Story { every: 900, tell: patching },
    Story { every: 1200, tell: stack_update },
    Story { every: 2400, tell: help_desk },
];

fn sign_in(plan: &mut Plan) {
    let person = plan.someone(Class::Person).name.clone();
    let address = plan.world.estate.place.whereabouts(&person, plan.random);
    let voice = plan.console_user(&address, true, false);
    for _ in 0..plan.random.below(12).saturating_sub(9) {
        let stranger = plan.at_sign_in(&voice.name, &voice.account, &address, &voice.agent);
        plan.rejected(&stranger, "signin:ConsoleLogin", &["Failure", "Yes"], "Failed authentication");
        plan.pause(4_000, 12_000);
    }
    plan.call(&voice, "signin:CheckMfa", &[]);
    plan.pause(2_000, 8_000);
    plan.call(&voice, "signin:ConsoleLogin", &["Success", "Yes"]);
    plan.pause(1_000, 3_000);
    look_around(plan, &address, true);
}

fn look_around(plan: &mut Plan, address: &str, mfa: bool) {
    let inside = plan.console_user(address, mfa, true);
    let pages =
        ["lambda:ListFunctions20150331", "logs:DescribeLogGroups", "monitoring:DescribeAlarms", "s3:ListBuckets"];
    for page in &pages[..plan.random.below(pages.len()) + 1] {
        plan.call(&inside, page, &[]);
        plan.pause(400, 4_000);
    }
}

/// The identity provider has asked for the second factor, so the record says that none was used here.
fn federated_sign_in(plan: &mut Plan) {
    let person = plan.someone(Class::Person);
    let browser = agents::BROWSER[plan.number % agents::BROWSER.len()];
    let voice = Arc::new(Voice { agent: browser.into(), console: false, ..(*person).clone() });
    let provider = format!(
        r#","SamlProviderArn":"arn:aws:iam::{}:saml-provider/AWSSSO_{}_DO_NOT_DELETE""#,
        voice.account,
        plan.number % 5
    );
    plan.call(&voice, "signin:ConsoleLogin", &["Success", "No", &provider]);
    plan.pause(500, 3_000);
    for page in ["health:DescribeEventAggregates", "monitoring:DescribeAlarms", "lambda:ListFunctions20150331"] {
        plan.call(&person, page, &[]);
        plan.pause(300, 2_000);
    }
}

fn deployment(plan: &mut Plan) {
    let pipeline = plan.someone(Class::Pipeline);
    let function = plan.any("function");
    plan.call(&pipeline, "sts:GetCallerIdentity", &[]);
    plan.pause(500, 2_000);
    plan.call(&pipeline, "lambda:GetFunction20150331v2", &[]);
    plan.pause(500, 2_000);
    let code = format!(r#""s3Bucket":"deploy-artifacts-{}","s3Key":"{function}.zip","#, pipeline.account);
    plan.call(&pipeline, "lambda:UpdateFunctionCode20150331v2", &[&function, &code]);
    plan.pause(2_000, 6_000);
    plan.call(&pipeline, "lambda:UpdateFunctionConfiguration20150331v2", &[&function]);
    plan.pause(2_000, 6_000);
    plan.call(&pipeline, "lambda:PublishVersion20150331", &[&function]);
    plan.pause(500, 2_000);
    plan.call(&pipeline, "lambda:UpdateAlias20150331", &[&function]);
}

fn new_function(plan: &mut Plan) {
    let pipeline = plan.someone(Class::Pipeline);
    let function = format!("{}-{}", plan.any("function"), plan.number);
    let role = format!("{function}-role");
    plan.call(&pipeline, "iam:CreateRole", &[&role, r#"\"Service\":\"lambda.amazonaws.com\""#]);
    plan.pause(800, 2_000);
    let basic = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
    plan.call(&pipeline, "iam:AttachRolePolicy", &[&role, basic]);
    plan.pause(300, 900);
    let resource =
        format!(r#"\"arn:aws:dynamodb:{}:{}:table/{}\""#, pipeline.region, pipeline.account, plan.any("table"));
    let actions = r#"[\"dynamodb:GetItem\",\"dynamodb:Query\"]"#;
    plan.call(&pipeline, "iam:PutRolePolicy", &[&role, "tables", actions, &resource]);
    plan.pause(4_000, 9_000);
    plan.call(&pipeline, "lambda:CreateFunction20150331", &[&function]);
    plan.pause(2_000, 5_000);
    let source = format!(
        r#","sourceArn":"arn:aws:execute-api:{}:{}:{}/*/*""#,
        pipeline.region,
        pipeline.account,
        plan.any("api")
    );
    let service = r#"{\"Service\":\"apigateway.amazonaws.com\"}"#;
    let arguments = [&function, "api", "lambda:InvokeFunction", "apigateway.amazonaws.com", &source, service];
    plan.call(&pipeline, "lambda:AddPermission20150331v2", &arguments);
}

fn stack_update(plan: &mut Plan) {
    let pipeline = plan.someone(Class::Pipeline);
    let stack = plan.any("stack");
    plan.call(&pipeline, "cloudformation:CreateChangeSet", &[&stack]);
    plan.pause(5_000, 12_000);
    plan.call(&pipeline, "cloudformation:ExecuteChangeSet", &[&stack]);
    plan.pause(8_000, 15_000);
    let function = plan.any("function");
    let code = format!(r#""s3Bucket":"cdk-assets-{}","s3Key":"{function}.zip","#, pipeline.account);
    let inside = plan.service_role("cloudformation.amazonaws.com", "cdk-hnb659fds-cfn-exec-role");
    plan.call(&inside, "lambda:UpdateFunctionCode20150331v2", &[&function, &code]);
}

fn scaling(plan: &mut Plan) {
    let role = "aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling";
    let voice = plan.service_role("autoscaling.amazonaws.com", role);
    let kind = plan.random.pick(&["m6i.large", "c7g.xlarge", "t4g.medium", "r6i.large"]);
    for _ in 0..plan.random.between(1, 4) {
        let instance = plan.any("instance");
        plan.call(&voice, "ec2:RunInstances", &[kind, &instance, "1"]);
        plan.pause(1_000, 4_000);
    }
    let instance = plan.any("instance");
    plan.call(&voice, "ec2:TerminateInstances", &[&instance]);
}

fn backup(plan: &mut Plan) {
    let voice = plan.service_role("backup.amazonaws.com", "service-role/AWSBackupDefaultServiceRole");
    for _ in 0..plan.random.between(8, 25) {
        plan.call(&voice, "ec2:CreateSnapshot", &[]);
        plan.pause(300, 1_500);
    }
    for _ in 0..plan.random.between(2, 6) {
        plan.call(&voice, "ec2:DeleteSnapshot", &[]);
        plan.pause(300, 1_500);
    }
}

fn operator_session(plan: &mut Plan) {
    let person = plan.someone(Class::Person);
    let instance = plan.any("instance");
    plan.call(&person, "ssm:DescribeInstanceInformation", &[]);
    plan.pause(3_000, 9_000);
    plan.call(&person, "ssm:StartSession", &[&instance]);
    plan.pause(60_000, 200_000);
    plan.call(&person, "ssm:TerminateSession", &[]);
}

fn patching(plan: &mut Plan) {
    let role = "aws-service-role/ssm.amazonaws.com/AWSServiceRoleForAmazonSSM";
    let voice = plan.service_role("ssm.amazonaws.com", role);
    let targets = r#""targets":[{"key":"tag:patch","values":["weekly"]}]"#;
    plan.call(&voice, "ssm:SendCommand", &[targets, "AWS-RunPatchBaseline"]);
}

fn help_desk(plan: &mut Plan) {
    let person = plan.someone(Class::Person);
    let instance = plan.any("instance");
    plan.call(&person, "ec2:GetPasswordData", &[&instance]);
}

fn key_rotation(plan: &mut Plan) {
    let user = plan.someone(Class::User);
    let (old, new) = (plan.key_id(), plan.key_id());
    plan.call(&user, "iam:CreateAccessKey", &[&user.name, &new]);
    plan.pause(20_000, 60_000);
    plan.call(&user, "iam:UpdateAccessKey", &[&user.name, &old]);
    plan.pause(20_000, 60_000);
    plan.call(&user, "iam:DeleteAccessKey", &[&user.name, &old]);
}

fn security_group(plan: &mut Plan) {
    let pipeline = plan.someone(Class::Pipeline);
    let group = plan.any("securitygroup");
    let (from, to, range) = match plan.random.below(3) {
        0 => ("443", "443", r#"{"cidrIp":"0.0.0.0/0","description":"public load balancer"}"#),
        1 => ("5432", "5432", r#"{"cidrIp":"10.20.0.0/16","description":"application subnets"}"#),
        _ => ("22", "22", r#"{"cidrIp":"192.0.2.40/32","description":"vpn"}"#),
    };
    plan.call(&pipeline, "ec2:AuthorizeSecurityGroupIngress", &[from, to, range, &group, ""]);
    plan.pause(500, 1_500);
    plan.call(&pipeline, "ec2:RevokeSecurityGroupIngress", &["8080", "8080", r#"{"cidrIp":"10.0.0.0/8"}"#, &group]);
}

fn bucket_policy(plan: &mut Plan) {
    let pipeline = plan.someone(Class::Pipeline);
    let bucket = plan.any("bucket");
    let statement = format!(
        r#"{{"Sid":"TlsOnly","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::{bucket}/*","Condition":{{"Bool":{{"aws:SecureTransport":"false"}}}}}},{{"Sid":"Delivery","Effect":"Allow","Principal":{{"Service":"delivery.logs.amazonaws.com"}},"Action":"s3:PutObject","Resource":"arn:aws:s3:::{bucket}/AWSLogs/{}/*"}}"#,
        pipeline.account
    );
    plan.call(&pipeline, "s3:PutBucketPolicy", &[&statement, &bucket]);
}
