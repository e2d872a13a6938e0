"""GitOps: what meshkit would install, as files for those who let Argo CD, Flux or Terraform install it."""
