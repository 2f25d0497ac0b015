//! What programs call themselves.

/// The development kits inside functions.
pub(crate) const FUNCTION: &[&str] = &[
    "aws-sdk-js/3.645.0 ua/2.0 os/linux#5.10.226-235.879.amzn2.x86_64 lang/js md/nodejs#20.17.0 api/dynamodb#3.645.0 m/E exec-env/AWS_Lambda_nodejs20.x",
    "aws-sdk-js/3.712.0 ua/2.1 os/linux#5.10.230-239.884.amzn2.aarch64 lang/js md/nodejs#22.11.0 api/s3#3.712.0 m/E,N exec-env/AWS_Lambda_nodejs22.x",
    "Boto3/1.34.145 md/Botocore#1.34.145 ua/2.0 os/linux#5.10.226-235.879.amzn2.x86_64 md/arch#x86_64 lang/python#3.12.4 md/pyimpl#CPython exec-env/AWS_Lambda_python3.12 cfg/retry-mode#legacy Botocore/1.34.145",
    "Boto3/1.40.21 md/Botocore#1.40.21 ua/2.1 os/linux#5.10.240-249.963.amzn2.aarch64 md/arch#aarch64 lang/python#3.13.5 md/pyimpl#CPython exec-env/AWS_Lambda_python3.13 m/Z,b,e cfg/retry-mode#adaptive Botocore/1.40.21",
    "aws-sdk-java/2.28.11 Linux/5.10.226-235.879.amzn2.x86_64 OpenJDK_64-Bit_Server_VM/21.0.4+7-LTS Java/21.0.4 vendor/Amazon.com_Inc. exec-env/AWS_Lambda_java21 io/sync http/UrlConnection cfg/retry-mode/legacy md/internal",
    "aws-sdk-go-v2/1.32.2 ua/2.1 os/linux lang/go#1.23.2 md/GOOS#linux md/GOARCH#arm64 api/sqs#1.36.2 exec-env/AWS_Lambda_provided.al2023",
    "aws-sdk-rust/1.3.5 os/linux lang/rust/1.84.0 exec-env/AWS_Lambda_provided.al2023",
];

/// Agents and daemons on instances.
pub(crate) const INSTANCE: &[&str] = &[
    "aws-sdk-go/1.55.5 (go1.22.7; linux; amd64) amazon-ssm-agent/3.3.859.0",
    "amazon-ecs-agent/1.87.0 (linux) (+http://aws.amazon.com/ecs/) aws-sdk-go/1.55.5",
    "aws-sdk-go-v2/1.30.4 os/linux lang/go#1.22.6 md/GOOS#linux md/GOARCH#amd64 api/ecr#1.32.2 containerd/1.7.20",
    "CWAgent/1.300045.1 (go1.22.5; linux; amd64) ID/7d1f0c5e aws-sdk-go/1.48.6",
];

/// Tools that look at everything all day.
pub(crate) const INVENTORY: &[&str] = &[
    "Boto3/1.35.36 md/Botocore#1.35.36 ua/2.0 os/linux#6.1.109-118.189.amzn2023.x86_64 md/arch#x86_64 lang/python#3.11.9 md/pyimpl#CPython cfg/retry-mode#adaptive Botocore/1.35.36 asset-inventory/4.2",
    "aws-sdk-go-v2/1.31.0 os/linux lang/go#1.23.1 md/GOOS#linux md/GOARCH#amd64 api/resourceexplorer2#1.14.3 fleet-monitor/2.18.0",
    "aws-sdk-java/2.27.21 Linux/5.15.0-119-generic OpenJDK_64-Bit_Server_VM/17.0.12+7 Java/17.0.12 vendor/Eclipse_Adoptium io/async http/NettyNio cfg/retry-mode/standard posture-scanner/9.1",
];

/// What builds and deploys.
pub(crate) const PIPELINE: &[&str] = &[
    "APN/1.0 HashiCorp/1.0 Terraform/1.9.5 (+https://www.terraform.io) terraform-provider-aws/5.67.0 (+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.30.5 os/linux lang/go#1.22.6 md/GOOS#linux md/GOARCH#amd64",
    "aws-cli/2.17.44 md/awscrt#0.21.2 ua/2.0 os/linux#6.8.0-1014-azure md/arch#x86_64 lang/python#3.11.9 md/pyimpl#CPython exec-env/GitHub_Actions cfg/retry-mode#standard md/installer#exe md/prompt#off md/command#lambda.update-function-code",
    "aws-cdk/2.158.0 aws-sdk-js/3.645.0 ua/2.0 os/linux#6.8.0 lang/js md/nodejs#20.17.0 api/cloudformation#3.645.0 md/internal",
];

/// Scripts with a long-lived key.
pub(crate) const SCRIPT: &[&str] = &[
    "Boto3/1.28.62 Python/3.10.12 Linux/5.15.0-91-generic Botocore/1.31.62",
    "aws-sdk-php/3.321.2 ua/2.0 OS/Linux#5.15.0-119-generic lang/php#8.1.29 GuzzleHttp/7",
    "aws-cli/1.32.7 md/Botocore#1.34.7 ua/2.0 os/linux#5.4.0-187-generic md/arch#x86_64 lang/python#3.8.10 md/pyimpl#CPython cfg/retry-mode#legacy botocore/1.34.7",
    "aws-sdk-java/1.12.770 Linux/4.14.350-266.564.amzn2.x86_64 OpenJDK_64-Bit_Server_VM/11.0.24+8-LTS java/11.0.24 vendor/Amazon.com_Inc. cfg/retry-mode/legacy",
];

/// Browsers.
pub(crate) const BROWSER: &[&str] = &[
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
];

/// What the console and the command line say for a person.
pub(crate) const PERSON: &[&str] = &[
    "AWS Internal",
    "[S3Console/0.4, aws-internal/3 aws-sdk-java/1.12.750 Linux/5.10.226-192.878.amzn2int.x86_64 OpenJDK_64-Bit_Server_VM/25.372-b08 java/1.8.0_372 vendor/Oracle_Corporation cfg/retry-mode/standard]",
    "aws-cli/2.17.44 md/awscrt#0.21.2 ua/2.0 os/macos#23.6.0 md/arch#arm64 lang/python#3.11.9 md/pyimpl#CPython cfg/retry-mode#standard md/installer#source md/prompt#off md/command#ec2.describe-instances",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36",
];

/// What an intruder with a stolen key works with: the same as everybody.
pub(crate) const INTRUDER: &[&str] = &[
    "aws-cli/2.15.30 Python/3.11.8 Linux/6.6.15-amd64 exe/x86_64.kali.2024 prompt/off",
    "Boto3/1.34.69 md/Botocore#1.34.69 ua/2.0 os/linux#6.5.0-21-generic md/arch#x86_64 lang/python#3.10.12 md/pyimpl#CPython cfg/retry-mode#legacy Botocore/1.34.69",
    "aws-sdk-go/1.44.298 (go1.20.4; linux; amd64)",
    "python-requests/2.31.0",
];

/// Clients of the APIs.
pub(crate) const CLIENT: &[&str] = &[
    "okhttp/4.12.0",
    "ShopApp/7.4.1 (iPhone; iOS 18.6; Scale/3.00)",
    "ShopApp/7.3.9 (Android 15; Pixel 8)",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
    "partner-sync/2.11 (+https://partners.example.com/sync)",
    "Go-http-client/2.0",
    "axios/1.7.7",
];
