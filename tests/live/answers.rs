//! What each source answers when all is well, in the form of its documentation; the figures are
//! made up.

use super::server::{Reply, Seen};

/// A source with an answer for every request, and a row that must come of it.
pub struct Good {
    pub feed: &'static str,
    pub answer: fn(&Seen) -> Reply,
    pub row: &'static str,
}

const JSON: &str = "application/json; charset=utf-8";
const CSV: &str = "text/csv";
const TEXT: &str = "text/plain; charset=utf-8";

pub const GOOD: &[Good] = &[
    Good {
        feed: "skypilot",
        answer: |seen| {
            let cloud = seen.line.split('/').nth(1).unwrap_or("");
            let body = match cloud {
                "aws" => {
                    "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,\
                     SpotPrice,Region,AvailabilityZone,Arch\n\
                     p5.48xlarge,H100,8.0,192.0,2048.0,\"{'Gpus': [{'Name': 'H100'}]}\",55.5,\
                     30.5,us-east-1,us-east-1a,x86_64\n\
                     p5.48xlarge,H100,8.0,192.0,2048.0,,55.5,29.5,us-east-1,us-east-1b,x86_64\n\
                     p5en.48xlarge,H200,8.0,192.0,2048.0,,,,us-east-1,us-east-1b,x86_64\n\
                     m7i.large,,,2.0,8.0,,0.1,0.05,us-east-1,us-east-1b,x86_64\n"
                }
                "gcp" => {
                    "InstanceType,vCPUs,MemoryGiB,AcceleratorName,AcceleratorCount,GpuInfo,Region,\
                     AvailabilityZone,Price,SpotPrice\n\
                     ,,,A100,1.0,,us-central1,us-central1-a,2.9,700.0\n\
                     a2-highgpu-1g,12.0,85.0,,,,us-central1,us-central1-a,0.74,0.3\n"
                }
                "lambda" => {
                    "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,Price,Region,\
                     GpuInfo,SpotPrice\ngpu_2x_a6000,RTXA6000,2.0,28,200,2.5,us-east-1,,\n"
                }
                "nebius" => {
                    "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,Price,Region,\
                     GpuInfo,SpotPrice\n\
                     gpu-h100-sxm_1gpu,H100,1.0,16,200,3.05,eu-north1,,1.35\n"
                }
                _ => {
                    "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,\
                     SpotPrice,Region,AvailabilityZone\n\
                     BM.GPU.A10.4,A10,4,128,1024,,8.5,,us-ashburn-1,AD-1\n"
                }
            };
            Reply::ok(TEXT, body)
        },
        row: "aws,us-east-1,p5.48xlarge,instance,h100-sxm,H100-SXM,8,,55.5,29.5,,,,,,,read",
    },
    Good {
        feed: "azure",
        answer: |seen| {
            let item = |sku: &str, meter: &str, price: &str, more: &str| {
                format!(
                    r#"{{"currencyCode": "USD", "retailPrice": {price}, "unitPrice": {price},
                    "armRegionName": "eastus", "meterName": "{meter}", "skuName": "{meter}",
                    "productName": "Virtual Machines NDsrH100v5 Series", "unitOfMeasure": "1 Hour",
                    "serviceName": "Virtual Machines", "armSkuName": "{sku}", {more}}}"#
                )
            };
            let (sku, on_demand) = ("Standard_ND96isr_H100_v5", r#""type": "Consumption""#);
            let term = r#""type": "Reservation", "reservationTerm": "1 Year""#;
            let page = |items: &[String], next: &str| {
                let items = items.join(",");
                format!(
                    r#"{{"BillingCurrency": "USD", "Items": [{items}], "NextPageLink": {next},
                    "Count": 2}}"#
                )
            };
            let second = seen.line.contains("skip=1000");
            let body = if second {
                page(&[item(sku, "ND96isr H100 v5", "876000", term)], "null")
            } else {
                let next = "https://prices.azure.com:443/api/retail/prices?$filter=x&$skip=1000";
                let items = [
                    item(sku, "ND96isr H100 v5", "97.5", on_demand),
                    item(sku, "ND96isr H100 v5 Spot", "\"40.25\"", on_demand),
                    item(sku, "ND96isr H100 v5 Low Priority", "1", on_demand),
                    item("Standard_ND96asr_v4", "ND96asr v4", "null", on_demand),
                    item("Standard_D2s_v5", "D2s v5", "0.1", on_demand),
                ];
                page(&items, &format!("\"{next}\""))
            };
            Reply::ok(JSON, body)
        },
        row: "azure,eastus,Standard_ND96isr_H100_v5,instance,h100-sxm,H100-SXM,8,,97.5,40.25,100,,,,,,\
              read",
    },
    Good {
        feed: "aws",
        answer: |_| {
            let row = |kind: &str, sku: &str, system: &str, price: &str, lease: &str| {
                format!(
                    "\"S\",\"{kind}\",\"Hrs\",\"{price}\",\"USD\",\"{lease}\",\"No Upfront\",\
                     \"standard\",\"{sku}\",\"Shared\",\"{system}\",\"Used\",\"NA\",\"OnDemand\"\n"
                )
            };
            let body = [
                "\"FormatVersion\",\"v1.0\"\n\"Disclaimer\",\"For information only, see terms\"\n\
                 \"Publication Date\",\"2026-11-20T00:00:00Z\"\n\"Version\",\"1\"\n\
                 \"OfferCode\",\"AmazonEC2\"\n\"SKU\",\"TermType\",\"Unit\",\"PricePerUnit\",\
                 \"Currency\",\"LeaseContractLength\",\"PurchaseOption\",\"OfferingClass\",\
                 \"Instance Type\",\"Tenancy\",\"Operating System\",\"CapacityStatus\",\
                 \"Pre Installed S/W\",\"MarketOption\"\n"
                    .to_owned(),
                row("OnDemand", "p5.48xlarge", "Linux", "55.0400000000", ""),
                row("OnDemand", "p5.48xlarge", "Windows", "99.0", ""),
                row("Reserved", "p5.48xlarge", "Linux", "37.5", "1yr"),
                row("OnDemand", "m7i.large", "Linux", "0.1", ""),
            ];
            Reply::ok(CSV, body.concat())
        },
        row: "aws,us-east-1,p5.48xlarge,instance,h100-sxm,H100-SXM,8,,55.04,,37.5,,,,,,read",
    },
    Good {
        feed: "gcp",
        answer: |seen| {
            let sku = |description: &str, units: &str, nanos: u64, unit: &str| {
                format!(
                    r#"{{"skuId": "0000", "description": "{description}", "category":
                    {{"resourceFamily": "Compute", "resourceGroup": "GPU",
                    "usageType": "OnDemand"}}, "serviceRegions": ["us-east4"], "pricingInfo":
                    [{{"pricingExpression": {{"usageUnit": "{unit}", "tieredRates":
                    [{{"startUsageAmount": 0, "unitPrice": {{"currencyCode": "USD",
                    "units": "{units}", "nanos": {nanos}}}}}]}}}}]}}"#
                )
            };
            let (skus, next) = if seen.line.contains("pageToken=second") {
                (vec![sku("A3 Instance Ram running in Virginia", "0", 3_000_000, "GiBy.h")], "")
            } else {
                let skus = vec![
                    sku("Nvidia H100 80GB GPU running in Virginia", "9", 500_000_000, "h"),
                    sku("DWS Defined Duration Nvidia H100 80GB GPU", "4", 0, "h"),
                    sku("A3 Instance Core running in Virginia", "0", 30_000_000, "h"),
                ];
                (skus, "second")
            };
            let skus = skus.join(",");
            Reply::ok(JSON, format!(r#"{{"skus": [{skus}], "nextPageToken": "{next}"}}"#))
        },
        // 8 x 9.5 + 208 x 0.03 + 1872 x 0.003
        row: "gcp,us-east4,a3-highgpu-8g,instance,h100-sxm,H100-SXM,8,,87.856,,,,,,,,read",
    },
    Good {
        feed: "lambda",
        answer: |_| {
            Reply::ok(
                JSON,
                r#"{"data": {"gpu_8x_h100_sxm5": {"instance_type": {"name": "gpu_8x_h100_sxm5",
                "description": "8x H100 (80 GB SXM5)", "gpu_description": "H100 (80 GB SXM5)",
                "price_cents_per_hour": "3192", "specs": {"vcpus": 208, "memory_gib": 1800,
                "gpus": 8}}, "regions_with_capacity_available": []},
                "cpu_4x": {"instance_type": {"name": "cpu_4x", "price_cents_per_hour": 10,
                "specs": {"vcpus": 4}}}}}"#,
            )
        },
        row: "lambda,*,gpu_8x_h100_sxm5,instance,h100-sxm,H100 (80 GB SXM5),8,,31.92,,,,,,,,read",
    },
    Good {
        feed: "runpod",
        answer: |_| {
            Reply::ok(
                JSON,
                r#"{"data": {"gpuTypes": [{"id": "NVIDIA H100 80GB HBM3", "securePrice": 2.99,
                "lowestPrice": {"minimumBidPrice": 1.5, "stockStatus": "Low"}},
                {"id": "NVIDIA H200", "securePrice": null, "lowestPrice": null}]}}"#,
            )
        },
        row: "runpod,*,NVIDIA H100 80GB HBM3,instance,h100-sxm,NVIDIA H100 80GB HBM3,1,,2.99,1.5,,,,,,,\
              read",
    },
    Good {
        feed: "vast",
        answer: |seen| {
            let body = if seen.body.contains("H100 SXM") {
                r#"{"offers": [{"id": 1, "gpu_name": "H100 SXM", "num_gpus": 8, "gpu_ram": 81559,
                "cpu_cores": null, "dph_base": 13.9, "dph_total": 16.0, "min_bid": 8.0}]}"#
            } else {
                r#"{"offers": []}"#
            };
            Reply::ok(JSON, body)
        },
        row: "vast,*,H100 SXM,instance,h100-sxm,H100 SXM,1,,2,1,,,,,,,read",
    },
    Good {
        feed: "electricity-maps",
        answer: |seen| {
            let body = if seen.line.contains("/forecast") {
                r#"{"zone": "DE", "forecast": [{"carbonIntensity": 326,
                "datetime": "2026-11-23T13:00:00.000Z"}], "updatedAt": "2026-11-23T11:00:00.000Z"}"#
            } else {
                r#"{"zone": "DE", "history": [{"zone": "DE", "carbonIntensity": 298,
                "datetime": "2026-11-23T12:00:00.000Z", "emissionFactorType": "lifecycle",
                "isEstimated": false}, {"zone": "DE", "datetime": "2026-11-23T11:00:00.000Z"}]}"#
            };
            Reply::ok(JSON, body)
        },
        row: "DE,2026-11-23T12:00:00Z,60,life-cycle,298,measured",
    },
    Good {
        feed: "watttime",
        answer: |seen| {
            let body = if seen.line.contains("/login") {
                r#"{"token": "a.b.c"}"#
            } else {
                r#"{"data": [{"point_time": "2026-11-23T00:00:00+00:00", "value": 1000.0}],
                "meta": {"data_point_period_seconds": 300, "region": "CAISO_NORTH",
                "signal_type": "co2_moer", "units": "lbs_co2_per_mwh"}}"#
            };
            Reply::ok(JSON, body)
        },
        row: "CAISO_NORTH,2026-11-23T00:00:00Z,5,marginal,453.59237,forecast",
    },
    Good {
        feed: "gb-carbon-intensity",
        answer: |_| {
            Reply::ok(
                JSON,
                r#"{"data": [{"from": "2026-11-23T11:30Z", "to": "2026-11-23T12:00Z",
                "intensity": {"forecast": 266, "actual": 263, "index": "moderate"}},
                {"from": "2026-11-23T12:00Z", "to": "2026-11-23T12:30Z",
                "intensity": {"forecast": 251, "actual": null, "index": "moderate"}}]}"#,
            )
        },
        row: "GB,2026-11-23T12:00:00Z,30,direct,251,forecast",
    },
    Good {
        feed: "eia",
        answer: |seen| {
            let row = |state: &str, price: &str| {
                format!(
                    r#"{{"period": "2025", "stateid": "{state}", "sectorid": "IND",
                    "price": {price}, "price-units": "cents per kilowatt-hour"}}"#
                )
            };
            // The first page does not say how many rows there are.
            let (total, rows) = if seen.line.contains("offset=0") {
                ("null", [row("US", "\"8.00\""), row("OH", "null")].join(","))
            } else {
                ("\"3\"", row("VA", "\"8.92\""))
            };
            Reply::ok(JSON, format!(r#"{{"response": {{"total": {total}, "data": [{rows}]}}}}"#))
        },
        row: "US-VA,2025,0.089200,industrial",
    },
    Good {
        feed: "ember",
        answer: |_| {
            Reply::ok(
                JSON,
                r#"{"stats": {"number_of_records": 3}, "data": [{"entity": "France",
                "entity_code": "FRA", "is_aggregate_entity": false, "date": "2025",
                "emissions_intensity_gco2_per_kwh": 33.5}, {"entity": "World",
                "entity_code": null, "is_aggregate_entity": true, "date": "2025",
                "emissions_intensity_gco2_per_kwh": 450}, {"entity": "Utopia",
                "entity_code": "UTO", "date": "2025", "emissions_intensity_gco2_per_kwh": null}]}"#,
            )
        },
        row: "FRA,2025,33.5,life-cycle",
    },
    Good {
        feed: "litellm",
        answer: |_| {
            Reply::ok(
                TEXT,
                r#"{"sample_spec": {"litellm_provider": "one of ...", "mode": "one of ..."},
                "gpt-4o": {"litellm_provider": "openai", "mode": "chat",
                "input_cost_per_token": 3e-06, "output_cost_per_token": "1.2e-05",
                "max_input_tokens": 128000}, "dall-e": {"litellm_provider": "openai",
                "mode": "image_generation"}}"#,
            )
        },
        row: "gpt-4o,openai,chat,3,12,,,,128000,",
    },
];
