module chaos-harness.invalid/balancer

go 1.24
