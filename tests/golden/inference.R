# Covariances and influence by R's glm, sandwich and survey, the numbers that tests of logreg.inference are held against.
#
# Rscript tests/golden/inference.R, from the project's folder, writes tests/golden/inference_r.json.
suppressMessages({library(jsonlite); library(sandwich); library(survey)})
exact <- glm.control(epsilon = 1e-15, maxit = 100)
# Each study: file, outcome, columns, groups of the clusters, what is added to 1 as weight (none: 0, 1, 2, 0 ...), step of rows.
studies <- list(
  nhefs = list("nhefs_death.csv", "death", c("qsmk", "sex", "age", "education", "smokeyrs", "wt71"), "age", "exercise", 40),
  anes96 = list("anes96.csv", "vote", c("popul", "selfLR", "PID", "age", "income"), "income", "TVnews", 40),
  orings = list("challenger_orings.csv", "distress", "Temperature", "Temperature", NULL, 1)
)
numbers <- function(study, weighted) {
  frame <- read.csv(file.path("datasets", study[[1]]))
  frame$.group <- frame[[study[[4]]]]
  added <- if (is.null(study[[5]])) (seq_len(nrow(frame)) - 1) %% 3 else frame[[study[[5]]]]
  frame$.weight <- if (weighted) 1 + added else rep(1, nrow(frame))
  formula <- reformulate(study[[3]], study[[2]])
  # Fitted again from the estimates, as vcov is of the working weights of the step before the last.
  fit <- glm(formula, binomial, frame, weights = .weight, control = exact)
  fit <- glm(formula, binomial, frame, weights = .weight, start = coef(fit), control = exact)
  surveyed <- function(ids) {
    design <- svydesign(ids, weights = ~.weight, data = frame)
    vcov(do.call(svyglm, list(formula, design, start = coef(fit), family = quasibinomial(), control = exact)))
  }
  last <- c(seq_along(study[[3]]) + 1, 1) # the intercept comes last
  covariances <- list(model = vcov(fit))
  for (type in c("HC0", "HC1", "HC2", "HC3")) covariances[[type]] <- vcovHC(fit, type = type)
  covariances$cluster <- vcovCL(fit, cluster = frame$.group, type = "HC1")
  covariances$survey <- surveyed(~1)
  covariances$survey_cluster <- surveyed(~.group)
  rows <- seq(1, nrow(frame), by = study[[6]])
  influence <- list(
    leverage = hatvalues(fit), residual_deviance = residuals(fit, "deviance"), residual_pearson = residuals(fit, "pearson"),
    residual_standardised = rstandard(fit), cooks_distance = cooks.distance(fit)
  )
  c(lapply(covariances, function(V) unname(V[last, last])), list(
    coefficients = unname(coef(fit)[last]),
    influence = c(list(rows = rows - 1), lapply(influence, function(values) unname(values[rows])))
  ))
}
found <- list()
for (name in names(studies)) {
  found[[name]] <- numbers(studies[[name]], FALSE)
  found[[paste0(name, "_weighted")]] <- numbers(studies[[name]], TRUE)
}
write(toJSON(found, digits = I(15)), "tests/golden/inference_r.json")
