//! Getting in, and looking around.

use std::sync::Arc;

use crate::estate::{Class, UNUSED_REGIONS, Voice, agents};
use crate::plan::Plan;

pub(super) fn sign_in_guessed(plan: &mut Plan) {
    let address = plan.outside_address();
    let agent = plan.random.pick(agents::BROWSER);
    let account = plan.account(plan.number);
    let people = plan.world.estate.place.people.clone();
    let victims = plan.random.between(1, 3) as usize;
    for guess in 0..plan.random.between(14, 30) as usize {
        let user = &people[(plan.number * 5 + guess % victims) % people.len()];
        let voice = plan.at_sign_in(user, &account, &address, agent);
        plan.rejected(&voice, "signin:ConsoleLogin", &["Failure", "No"], "Failed authentication");
        if guess == 0 {
            plan.by(&voice);
        }
        plan.pause(150, 600);
    }
    if plan.random.below(2) == 0 {
        let voice = plan.console_user(&address, false, false);
        plan.call(&voice, "signin:ConsoleLogin", &["Success", "No"]);
    }
}

pub(super) fn sign_in_without_mfa(plan: &mut Plan) {
    let address = plan.outside_address();
    let voice = plan.console_user(&address, false, false);
    plan.by(&voice);
    plan.call(&voice, "signin:ConsoleLogin", &["Success", "No"]);
    let inside = plan.console_user(&address, false, true);
    for page in ["iam:ListUsers", "s3:ListBuckets", "secretsmanager:ListSecrets", "lambda:ListFunctions20150331"] {
        plan.pause(300, 1_500);
        plan.call(&inside, page, &[]);
    }
}

pub(super) fn root_used(plan: &mut Plan) {
    let address = plan.outside_address();
    let voice = plan.root(&address);
    plan.by(&voice);
    plan.call(&voice, "signin:ConsoleLogin", &["Success", "Yes"]);
    for page in ["iam:GetAccountSummary", "s3:ListBuckets", "iam:ListUsers", "account:GetContactInformation"] {
        plan.pause(300, 1_500);
        plan.call(&voice, page, &[]);
    }
    plan.pause(300, 1_500);
    plan.call(&voice, "iam:UpdateAccountPasswordPolicy", &[]);
}

pub(super) fn new_region(plan: &mut Plan) {
    let stolen = plan.stolen(Class::User);
    let region = plan.random.pick(&UNUSED_REGIONS);
    let voice = Arc::new(Voice { region: region.into(), ..(*stolen).clone() });
    plan.by(&voice);
    for look in ["ec2:DescribeInstances", "ec2:DescribeVpcs", "ec2:DescribeImages"] {
        plan.call(&voice, look, &[]);
        plan.pause(200, 900);
    }
    plan.call(&voice, "ec2:CreateKeyPair", &["backup-admin"]);
    for _ in 0..plan.random.between(2, 4) {
        plan.pause(200, 900);
        let instance = plan.any("instance");
        let kind = plan.random.pick(&["c5.large", "m5.large", "t3.large"]);
        plan.call(&voice, "ec2:RunInstances", &[kind, &instance]);
    }
}

pub(super) fn federation_token(plan: &mut Plan) {
    let voice = plan.stolen(Class::User);
    plan.by(&voice);
    plan.call(&voice, "sts:GetCallerIdentity", &[]);
    let name = plan.random.pick(&["support", "reporting", "temp-access", "helper", "monitor"]);
    for _ in 0..plan.random.between(1, 2) {
        plan.pause(400, 1_500);
        plan.call(&voice, "sts:GetFederationToken", &[name]);
    }
    plan.pause(400, 1_500);
    plan.call(&voice, "iam:ListAccessKeys", &[]);
}

/// What is tried in turn: reads of many services.
const TRIED: &[&str] = &[
    "iam:ListUsers",
    "iam:ListRoles",
    "iam:ListPolicies",
    "iam:GetAccountSummary",
    "iam:GetAccountAuthorizationDetails",
    "iam:ListAccessKeys",
    "s3:ListBuckets",
    "s3:GetAccountPublicAccessBlock",
    "ec2:DescribeInstances",
    "ec2:DescribeSnapshots",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeVpcs",
    "ec2:DescribeKeyPairs",
    "ec2:DescribeImages",
    "lambda:ListFunctions20150331",
    "lambda:ListLayers20181031",
    "secretsmanager:ListSecrets",
    "ssm:DescribeParameters",
    "ssm:DescribeInstanceInformation",
    "kms:ListKeys",
    "kms:ListAliases",
    "rds:DescribeDBInstances",
    "rds:DescribeDBSnapshots",
    "dynamodb:ListTables",
    "sqs:ListQueues",
    "sns:ListTopics",
    "cloudtrail:DescribeTrails",
    "cloudtrail:ListTrails",
    "guardduty:ListDetectors",
    "config:DescribeConfigRules",
    "organizations:DescribeOrganization",
    "logs:DescribeLogGroups",
    "cloudformation:ListStacks",
    "ecr:DescribeRepositories",
    "ecs:ListClusters",
    "eks:ListClusters",
    "route53:ListHostedZones",
    "ses:GetSendQuota",
    "bedrock:ListFoundationModels",
    "apigateway:GetRestApis",
];

pub(super) fn sweep(plan: &mut Plan) {
    let class = if plan.random.below(2) == 0 { Class::User } else { Class::Function };
    let voice = plan.stolen(class);
    plan.by(&voice);
    plan.call(&voice, "sts:GetCallerIdentity", &[]);
    let first = plan.random.below(TRIED.len());
    for number in 0..plan.random.between(26, 38) as usize {
        plan.pause(80, 350);
        let name = TRIED[(first + number) % TRIED.len()];
        if plan.random.below(10) == 0 {
            plan.call(&voice, name, &[]);
        } else {
            plan.denied(&voice, name, &[]);
        }
    }
}
