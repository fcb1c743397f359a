# R's glm on the data sets of logreg.datasets, the numbers that tests/test_agreement_r.py holds summaries against.
#
# Rscript tests/golden/glm.R, from the project's folder, writes tests/golden/glm.json.
suppressMessages(library(jsonlite))
options(warn = 1)
exact <- glm.control(epsilon = 1e-15, maxit = 30)
# Levels in the order of their bytes, as logreg has them, whatever the language of the machine.
words <- function(frame) {
  categories <- sapply(frame, is.character)
  frame[categories] <- lapply(frame[categories], function(x) factor(x, levels = sort(unique(x), method = "radix")))
  frame
}
read <- function(file) words(read.csv(file.path("datasets", file), check.names = FALSE, na.strings = character(0)))
flights <- read("nycflights.csv.gz")
people <- setNames(read("titanic2201.csv"), c("class", "adult", "male", "survived"))
penguins <- read("penguins_sex.csv")
penguins$male <- as.numeric(penguins$sex == "male")
cells <- read("titanic_cells.csv")
rows <- rbind(transform(cells, weight = n - survived, survived = 0), transform(cells, weight = survived, survived = 1))
rows <- rows[rows$weight > 0, c("class", "adult", "male", "survived", "weight")]
classes <- function(frame) transform(frame, class = factor(class))
# Each study: rows, outcome, columns (none: all others), whether the column `weight` has weights. Of the separated data
# sets, and of the flights, columns that do not separate.
studies <- list(
  orings = list(read("challenger_orings.csv"), "distress", "Temperature", FALSE),
  penguins = list(penguins[setdiff(names(penguins), "sex")], "male", NULL, FALSE),
  titanic = list(people, "survived", NULL, FALSE),
  titanic_classes = list(classes(people), "survived", NULL, FALSE),
  titanic_cells = list(rows, "survived", NULL, TRUE),
  titanic_cells_classes = list(classes(rows), "survived", NULL, TRUE),
  anes96 = list(read("anes96.csv"), "vote", NULL, FALSE),
  nhefs = list(read("nhefs_death.csv"), "death", NULL, FALSE),
  breast_cancer = list(read("wdbc.csv"), "malignant", c("mean_radius", "mean_texture", "mean_smoothness"), FALSE),
  endometrial = list(read("endometrial.csv"), "HG", c("PI", "EH"), FALSE),
  flights = list(flights[setdiff(names(flights), c("dest", "tailnum"))], "late", NULL, FALSE)
)
numbers <- function(frame, outcome, columns, weighted) {
  frame$.weight <- if (weighted) frame$weight else rep(1, nrow(frame))
  if (is.null(columns)) columns <- setdiff(names(frame), c(outcome, "weight", ".weight"))
  formula <- reformulate(columns, outcome)
  # Fitted again from the estimates, as vcov is of the working weights of the step before the last.
  fit <- glm(formula, binomial, frame, weights = .weight, control = exact)
  fit <- suppressWarnings(glm(formula, binomial, frame, weights = .weight, start = coef(fit), control = exact))
  table <- unname(coef(summary(fit)))
  ends <- unname(confint.default(fit))
  list(
    columns = I(columns), terms = names(coef(fit)), estimate = table[, 1], std_error = table[, 2],
    statistic = table[, 3], p_value = table[, 4], log_p_value = log(2) + pnorm(-abs(table[, 3]), log.p = TRUE),
    conf_low = ends[, 1], conf_high = ends[, 2],
    fit = list(
      deviance = deviance(fit), null_deviance = fit$null.deviance, log_likelihood = as.numeric(logLik(fit)),
      aic = AIC(fit), bic = AIC(fit, k = log(sum(frame$.weight))), # R's BIC takes rows for cases, whatever they weigh
      df = fit$df.null - fit$df.residual
    )
  )
}
found <- lapply(studies, function(study) do.call(numbers, study))
write(toJSON(found, digits = I(15), auto_unbox = TRUE), "tests/golden/glm.json")
